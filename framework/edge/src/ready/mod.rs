//! Hooks that most sites need. Each is a [`Hook`](crate::Hook) with a builder; its rules are in its documentation.
