//! MaxMind's files of addresses: GeoLite2, GeoIP2 and others of their format.

use super::{Database, wrong};
use crate::{Error, request::Geo};
use maxminddb::{Reader, path};
use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

/// A file of MaxMind's format, version 2, as it is in memory: its country, and its region and city where it has them.
///
/// The file is read by the program, since hooks do no I/O, and renewed by [`replace`](Self::replace), without a restart.
///
/// ```no_run
/// use std::sync::Arc;
/// use tropos_edge::{Hooks, ready::geo::{Locate, MaxMind}};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = Arc::new(MaxMind::new(std::fs::read("GeoLite2-Country.mmdb")?)?);
/// let hooks = Hooks::new().hook(Locate::new().database(file.clone()));
/// // Some weeks later:
/// file.replace(std::fs::read("GeoLite2-Country.mmdb")?)?;
/// # Ok(()) }
/// ```
pub struct MaxMind(RwLock<Arc<Reader<Vec<u8>>>>);

impl MaxMind {
    /// A file's content.
    ///
    /// # Errors
    /// [`Error::Hook`] for what is no such file.
    pub fn new(file: Vec<u8>) -> Result<Self, Error> {
        Ok(Self(RwLock::new(Arc::new(read(file)?))))
    }

    /// Another file's content, in place of this one's, from now on.
    ///
    /// # Errors
    /// [`Error::Hook`] for what is no such file; the old one then stays.
    pub fn replace(&self, file: Vec<u8>) -> Result<(), Error> {
        let reader = Arc::new(read(file)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = reader;
        Ok(())
    }
}

fn read(file: Vec<u8>) -> Result<Reader<Vec<u8>>, Error> {
    Reader::from_source(file)
        .map_err(|error| wrong("locate", format!("this is no file of MaxMind's format: {error}")))
}

impl Database for MaxMind {
    fn locate(&self, address: IpAddr) -> Option<Geo<'static>> {
        let reader = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let found = reader.lookup(address).ok()?;
        let text = |path: &[maxminddb::PathElement<'_>]| {
            found.decode_path::<String>(path).ok().flatten().map(Into::into)
        };
        // A network that is used in another country than it is registered in has both; where neither is, nobody knows.
        let country =
            text(&path!["country", "iso_code"]).or_else(|| text(&path!["registered_country", "iso_code"]));
        Some(Geo {
            country,
            region: text(&path!["subdivisions", 0, "iso_code"]),
            city: text(&path!["city", "names", "en"]),
        })
    }
}

impl fmt::Debug for MaxMind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaxMind")
    }
}
