//! Random programs under random crashes, lost commits, evictions and clock jumps.

use proptest::prelude::*;

use crate::engine::sim::chaos::{Chaos, Faults};
use crate::engine::sim::program::{Alphabet, Program, programs};
use crate::engine::tests::cases;

fn live_through(seed: u64, programs: Vec<Program>, faults: Faults) {
    let mut chaos = Chaos::new(seed, programs, faults);
    for _ in 0..6 {
        chaos.disturb(60);
        chaos.check_statuses();
    }
    chaos.heal();
    chaos.check();
}

fn some_programs() -> impl Strategy<Value = Vec<Program>> {
    prop::collection::vec(programs(Alphabet::Together), 1..4)
}

proptest! {
    #![proptest_config(cases(50))]

    /// Without a crash each activity runs once, whatever happens to commits.
    #[test]
    fn b02_lost_commits_lose_nothing_and_double_nothing(seed: u64, programs in some_programs(), clock_jumps: bool) {
        live_through(seed, programs, Faults { crashes: false, lost_commits: true, clock_jumps, partitions: 1, elsewhere: false, registry_changes: false });
    }

    #[test]
    fn g02_crashes_lose_nothing_and_double_nothing(seed: u64, programs in some_programs(), clock_jumps: bool) {
        live_through(seed, programs, Faults { crashes: true, lost_commits: true, clock_jumps, partitions: 1, elsewhere: false, registry_changes: false });
    }

    /// Partitions fail and recover on their own, and hints of messages come late, doubled, in any order.
    #[test]
    fn b03_partitions_that_fail_one_by_one_lose_no_message_and_double_none(
        seed: u64, programs in some_programs(), clock_jumps: bool, crashes: bool, partitions in 2_u16..5
    ) {
        live_through(seed, programs, Faults { crashes, lost_commits: true, clock_jumps, partitions, elsewhere: false, registry_changes: false });
    }

    /// Programs that run elsewhere answer late, twice, never, or to an outdated offer.
    #[test]
    fn p22_nothing_is_lost_or_doubled_whatever_remote_programs_answer(
        seed: u64, programs in some_programs(), clock_jumps: bool, crashes: bool, partitions in 1_u16..4
    ) {
        live_through(seed, programs, Faults { crashes, lost_commits: true, clock_jumps, partitions, elsewhere: true, registry_changes: false });
    }

    /// Code comes and goes while everything goes on. In the end it is there, and nothing is stuck.
    #[test]
    fn p31_adding_and_removing_code_loses_nothing_and_doubles_nothing(
        seed: u64, programs in some_programs(), elsewhere: bool, crashes: bool, partitions in 1_u16..4
    ) {
        let faults = Faults { crashes, lost_commits: true, clock_jumps: true, partitions, elsewhere, registry_changes: true };
        live_through(seed, programs, faults);
    }
}
