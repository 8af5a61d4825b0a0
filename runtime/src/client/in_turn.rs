//! Keeps clients out of orchestrators: what they answer is not recorded, so a replay would go another way.

/// Called by everything that a program can ask a client.
#[track_caller]
pub(super) fn refuse_in_turn() {
    refuse_if(crate::context::in_turn());
}

#[track_caller]
fn refuse_if(in_turn: bool) {
    assert!(
        !in_turn,
        "a client was used inside an orchestrator, where its answers are not recorded and would differ on replay: \
         use it in an activity and call that, or use `ctx.send_event` and sub-orchestrations"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_turns_a_client_may_be_used() {
        refuse_in_turn();
    }

    #[test]
    #[should_panic(expected = "use it in an activity")]
    fn a_client_inside_an_orchestrator_is_refused_with_the_way_out() {
        refuse_if(true);
    }
}
