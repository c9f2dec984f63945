//! Connections of HTTP/1.1 as long as they ask for nothing but stored pages that are hits.
//!
//! Such a request needs no router, no task and no table of headers: it is read where it lies, and answered by one write
//! of a head that is mostly ready and a body that lies in the cache. Anything else (another method or version, a body, an
//! upgrade, a page of another mode, a head that is not exactly as RFC 9112 has it) ends this: the connection goes to
//! hyper with the bytes that were read, and stays there.
//!
//! | module | holds |
//! |---|---|
//! | `head` | what of a request is plain, as a pure function of its bytes |
//! | `answer` | the answer as bytes |
//! | `ask` | stored pages that are not hits just now |
//! | `connection` | the loop, its deadlines, and slow readers |
//! | `prefixed` | a stream whose first bytes were read already |

mod answer;
mod ask;
mod connection;
mod head;
mod prefixed;
#[cfg(test)]
mod tests;

pub(super) use connection::{Ended, Patience, serve};
pub(super) use prefixed::Prefixed;
