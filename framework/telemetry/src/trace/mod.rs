//! The context of a request, what is recorded of it, and what is kept.
