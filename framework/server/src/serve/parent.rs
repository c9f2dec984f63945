//! The dev server that started this process: without it, nobody needs the process.

use crate::Config;
use std::io::Read as _;
use tokio::sync::oneshot;

/// Ready once the dev server has ended, in whatever way: it holds the other end of standard input. Never, where no dev
/// server started the process.
pub(super) async fn gone(config: &Config) {
    if config.dev.is_none() {
        return std::future::pending().await;
    }
    let (sender, ended) = oneshot::channel::<()>();
    // A thread of its own: a read of standard input cannot be given up, and would keep the runtime from ending.
    let watcher = std::thread::Builder::new().name("dev-server-watch".into()).spawn(move || {
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut [0; 64]), Ok(1..)) {}
        drop(sender);
    });
    match watcher {
        Ok(_) => {
            let _ = ended.await;
            tracing::info!("the dev server has ended");
        }
        Err(error) => {
            tracing::warn!(%error, "the dev server is not watched: it must be ended before this process");
            std::future::pending().await
        }
    }
}
