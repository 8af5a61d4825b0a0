//! Expansions, stage by stage.
