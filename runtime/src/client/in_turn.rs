//! Keeps clients out of orchestrators: what they answer is not recorded, so a replay would go another way.

/// Called by everything that a program can ask a client.
#[track_caller]
pub(super) fn refuse_in_turn() {
    assert!(
        !crate::context::in_turn(),
        "a client was used inside an orchestrator, where its answers are not recorded and would differ on replay: \
         use it in an activity and call that, or use `ctx.send_event` and sub-orchestrations"
    );
}
