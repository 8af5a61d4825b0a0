//! Keeps clients out of orchestrators. Their answers are not recorded, so a replay would take another path.

/// Panics inside an orchestrator. Every operation of a client calls this.
#[track_caller]
pub(super) fn refuse_in_turn() {
    assert!(
        !crate::context::in_turn(),
        "a client was used inside an orchestrator, where its answers are not recorded and would differ on replay: \
         use it in an activity and call that, or use `ctx.send_event` and sub-orchestrations"
    );
}
