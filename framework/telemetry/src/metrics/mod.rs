//! The registry of all series, and its text form.
