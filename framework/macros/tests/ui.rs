//! What does not compile says why, to the letter.
//!
//! `TRYBUILD=overwrite cargo test -p tropos-macros --test ui` writes the messages anew; read the difference before
//! committing it.

#[test]
fn what_does_not_compile_says_why() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}
