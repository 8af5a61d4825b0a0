//! The test suite that every store must pass: one `#[test]` for each case, from one list.
//!
//! ```
//! # use std::sync::Arc;
//! # use persevere::store::{MemoryStore, Store};
//! // The first call opens an empty store; later ones open the same store again, after the earlier handle was dropped.
//! persevere::store_conformance!(memory, || {
//!     let rows = MemoryStore::new();
//!     move || Arc::new(rows.clone()) as Arc<dyn Store>
//! });
//! ```

mod anchors;
mod build;
mod commits;
mod epochs;
mod heads;
mod pages;
mod partitions;
mod queries;
mod random;
mod reads;
mod subject;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use self::subject::Subject;
use super::Store;

/// Creates a module `$suite` with one test for each case. `$fixture` is called once in each test and returns the
/// opener: a closure whose first call opens an empty store, and whose later calls open the same store again.
///
/// Run the suite twice: on a store with one partition and on a store with four. The cases about several partitions do
/// nothing on a store with one partition.
#[macro_export]
macro_rules! store_conformance {
    ($suite:ident, $fixture:expr) => {
        mod $suite {
            #[allow(unused_imports)]
            use super::*;
            $crate::__store_conformance_cases!($crate::__store_conformance_test, $fixture);
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_conformance_test {
    ($fixture:expr, $($file:ident: $($case:ident)*;)*) => {
        $($(
            #[test]
            fn $case() {
                $crate::store::conformance::run(stringify!($case), ($fixture)());
            }
        )*)*
    };
}

/// The list of the cases, by file. A case that is missing here is dead code, which the compiler reports.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_conformance_cases {
    ($callback:path, $fixture:expr) => {
        $callback! { $fixture,
            commits:
                a_new_store_is_empty
                a_commit_is_there_as_a_whole
                an_empty_batch_changes_nothing
                one_row_that_is_not_as_expected_refuses_the_whole_batch
                removing_a_row_that_is_not_there_is_refused
                adding_a_row_that_is_there_is_refused
                the_store_goes_on_after_a_refusal
                purge_removes_one_life_and_nothing_else
                erasing_a_history_removes_one_execution_and_nothing_else
                continue_as_new_in_one_commit
                carried_events_belong_to_the_life_and_to_no_execution
                batches_that_wait_together_are_judged_one_by_one;
            anchors:
                rows_may_come_and_go_within_one_batch
                rows_may_come_back_within_one_batch
                two_turns_of_one_instance_in_one_batch
                ended_and_purged_in_one_batch
                an_id_may_be_used_again_in_the_turn_that_purges_it
                tasks_are_loaded_with_the_record_of_their_turn
                the_backlog_is_in_order;
            heads:
                a_head_keeps_every_column
                a_head_without_options_keeps_them_absent
                every_status_is_kept
                a_changed_head_is_changed_in_every_column
                progress_changes_state_status_and_outcome
                an_id_belongs_to_one_life
                the_largest_numbers_are_kept
                texts_of_any_script_are_kept
                large_payloads_are_kept;
            reads:
                an_unknown_instance_is_none
                history_is_in_the_order_of_turns
                records_are_counted_in_the_current_execution
                a_read_sees_the_commit_before_it
                reads_never_see_half_a_commit
                an_inbox_is_read_in_the_order_of_ids_without_known_rows
                an_inbox_is_read_in_bounded_parts
                the_history_of_an_execution_that_is_gone_is_none
                head_and_history_are_of_one_moment;
            partitions:
                a_claim_disturbs_no_other_partition
                epochs_rise_in_a_partition_and_are_unique_in_the_store
                a_partition_that_is_not_there_cannot_be_claimed
                a_partition_sees_its_own_rows_only
                a_batch_changes_no_row_of_another_partition
                a_message_is_in_the_inbox_of_its_partition_until_that_removes_it
                a_refused_batch_leaves_those_of_other_partitions
                a_batch_of_a_lost_partition_leaves_those_of_others
                closing_a_partition_closes_no_other
                each_partition_is_clean_by_itself
                paging_shows_each_instance_once_while_all_partitions_create;
            queries:
                an_empty_store_has_an_empty_list
                a_list_shows_instances_as_single_reads_do
                a_list_sees_the_commit_before_it
                lists_are_ordered_by_creation_and_key
                lists_of_a_prefix_are_ordered_by_id
                a_prefix_is_compared_letter_by_letter
                statuses_are_alternatives
                bounds_of_creation_are_inclusive
                a_name_is_the_whole_name
                parked_instances_are_told_apart
                all_tags_must_be_there_with_their_values
                a_custom_status_is_looked_at_by_place_and_value
                all_conditions_must_be_met
                a_damaged_custom_status_is_named_and_never_left_out;
            pages:
                pages_of_every_size_make_the_same_list
                only_the_end_of_the_list_has_no_next
                a_cursor_stays_valid_when_its_instance_is_removed
                cursors_beyond_the_ends_are_valid
                instances_created_or_removed_between_pages_move_no_others
                a_page_shows_one_moment
                a_page_looks_at_a_bounded_number_of_rows
                a_page_reads_a_bounded_number_of_bytes;
            epochs:
                a_partition_that_a_living_handle_owns_cannot_be_claimed
                each_claim_raises_the_epoch
                a_batch_of_another_epoch_is_refused
                a_store_that_is_not_claimed_refuses_batches
                a_claim_settles_what_was_sent_before_it
                what_was_committed_survives_reopening
                what_was_committed_survives_without_a_close
                a_commit_under_way_may_outlive_its_store
                only_a_closed_store_is_clean
                what_is_noted_about_suspects_is_kept_until_it_is_replaced
                a_closed_store_can_be_claimed_again;
            random:
                random_batches_end_as_in_the_memory_store
                random_lists_hold_what_a_search_through_all_heads_finds;
        }
    };
}

macro_rules! run_case {
    ($input:expr, $($file:ident: $($case:ident)*;)*) => {{
        let (name, subject): (&str, Subject) = $input;
        match name {
            $($(stringify!($case) => block_on($file::$case(subject)),)*)*
            unknown => panic!("there is no case {unknown}"),
        }
    }};
}

/// Runs one case.
///
/// # Panics
/// Panics if the store does not behave as the case requires.
#[doc(hidden)]
pub fn run<F>(name: &str, opener: F)
where
    F: FnMut() -> Arc<dyn Store> + 'static,
{
    let subject = Subject::open(Box::new(opener));
    crate::__store_conformance_cases!(run_case, (name, subject));
}

/// Stores need no Tokio context, and neither does the suite.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        thread::park();
    }
}
