//! What a read must have seen, by the scope that it runs in.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Required {
    Nothing,
    Position(u64),
    Primary,
}
#[derive(Debug)]
pub(crate) struct Hold;
impl Hold {
    pub(crate) async fn take_effect(self) -> Result<(), crate::Error> {
        Ok(())
    }
}
pub(crate) fn hold() -> Option<Hold> {
    None
}

/// What a read of a shard must have seen.
pub(crate) fn required(_shard: u16) -> Required {
    Required::Nothing
}

/// A write is about to go to a shard: from now on this scope reads it from the primary.
///
/// Before, not after: the write may take effect though its answer never arrives.
pub(crate) fn writes(_shard: u16) {}
