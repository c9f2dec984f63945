//! The layer.

use super::{CacheService, LayerConfig, shared::Shared};
use crate::http::policy::Asked;
use std::{fmt, sync::Arc};
use tower_layer::Layer;

/// Puts a cache around a service; see the [module](super).
///
/// Its clones, and all services that it wraps, share one store.
#[derive(Clone)]
pub struct CacheLayer {
    shared: Arc<Shared>,
}

impl CacheLayer {
    /// A cache with a store of its own.
    pub fn new(config: LayerConfig) -> Self {
        Self { shared: Arc::new(Shared::new(config)) }
    }

    /// Removes what is stored for `authority` (the host, and the port where the URL has one) and `target` (path and
    /// query), in all variants. What is under way is not stored.
    pub fn remove(&self, authority: &str, target: &str) {
        self.shared.remove(&Asked { authority: authority.to_ascii_lowercase(), target: target.to_owned() });
    }

    /// The bytes that the store holds, about.
    pub fn bytes(&self) -> usize {
        self.shared.store.bytes()
    }
}

impl Default for CacheLayer {
    fn default() -> Self {
        Self::new(LayerConfig::default())
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = CacheService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CacheService::new(inner, self.shared.clone())
    }
}

impl fmt::Debug for CacheLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLayer").field("config", &self.shared.config).finish_non_exhaustive()
    }
}
