//! What can go wrong with telemetry: never a request.

/// Why telemetry could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that cannot be understood.
    #[error("{name}: {reason}")]
    Setting {
        /// The variable as it is written.
        name: &'static str,
        /// What is wrong with it, and what to write instead.
        reason: String,
    },
    /// The system gives no thread.
    #[error("no thread to report errors from: {0}; raise the limit of threads of the process")]
    Thread(String),
    /// There is no client to send by.
    #[error("reports of errors cannot be sent: {0}")]
    Client(String),
}
