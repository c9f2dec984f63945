//! `view!` macros in sources, and what changed between two versions of them.
