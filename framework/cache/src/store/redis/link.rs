//! The connection, made anew when it breaks or falls silent.
//!
//! The crate's own connection manager keeps a connection whose peer has gone without a word, since a late answer is no
//! error to it. Here whatever is not an answer of the server ends the connection, and the next question opens another.

use super::address::Address;
use crate::store::shared::SharedError;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisConnectionInfo, RedisError,
    ServerErrorKind,
    aio::{ConnectionLike, MultiplexedConnection, PubSub},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// A connection that is silent for so long is given up; a little less than a renewal of the lease is waited for.
const SILENCE: Duration = Duration::from_millis(450);

/// One connection to wherever the data is now. Many questions share it.
pub(super) struct Link {
    target: Target,
    open: Mutex<Option<Connection>>,
    /// Held while a connection is made, so that one is made for all who ask.
    connecting: Mutex<()>,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it")]
enum Target {
    Server(Client),
    /// Apart from each other, since each is held during a search for the primary.
    Sentinel {
        asking: Mutex<SentinelClient>,
        listening: Mutex<SentinelClient>,
    },
    Cluster {
        client: ClusterClient,
        nodes: Vec<Client>,
    },
}

#[derive(Clone)]
enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    pub(super) fn new(address: &Address) -> Result<Self, RedisError> {
        // Fails where the application has chosen a provider already; then that one is used.
        drop(rustls::crypto::ring::default_provider().install_default());
        let target = match address {
            Address::Server(url) => Target::Server(Client::open(url.as_str())?),
            Address::Cluster(urls) => {
                let client = ClusterClient::builder(urls.iter().map(String::as_str))
                    .connection_timeout(SILENCE)
                    .response_timeout(SILENCE)
                    .retries(1)
                    .build()?;
                let nodes = urls.iter().map(|url| Client::open(url.as_str())).collect::<Result<_, _>>()?;
                Target::Cluster { client, nodes }
            }
            Address::Sentinel { sentinels, service, login, database } => {
                let mut info = RedisConnectionInfo::default().set_db(*database);
                if let Some((user, password)) = login {
                    info = info.set_password(password);
                    if !user.is_empty() {
                        info = info.set_username(user);
                    }
                }
                let node = SentinelNodeConnectionInfo::default().set_redis_connection_info(info);
                let client = || {
                    let sentinels = sentinels.iter().map(String::as_str).collect();
                    SentinelClient::build(sentinels, service, Some(node.clone()), SentinelServerType::Master)
                };
                Target::Sentinel { asking: Mutex::new(client()?), listening: Mutex::new(client()?) }
            }
        };
        Ok(Self { target, open: Mutex::new(None), connecting: Mutex::new(()) })
    }

    /// Asks, and reads the answer.
    pub(super) async fn ask<T: FromRedisValue>(self: &Arc<Self>, command: &Cmd) -> Result<T, SharedError> {
        let answer = async {
            match self.connection().await? {
                Connection::Server(mut connection) => connection.req_packed_command(command).await,
                Connection::Cluster(mut connection) => connection.req_packed_command(command).await,
            }
        };
        let answer = answer.await.and_then(redis::Value::extract_error);
        let answer = answer.and_then(|value| T::from_redis_value(value).map_err(RedisError::from));
        if let Err(error) = &answer
            && !is_an_answer(error)
        {
            *self.open.lock().await = None;
        }
        answer.map_err(|error| SharedError::Failed(error.to_string()))
    }

    async fn connection(self: &Arc<Self>) -> Result<Connection, RedisError> {
        if let Some(connection) = &*self.open.lock().await {
            return Ok(connection.clone());
        }
        // In a task of its own: it may take longer than whoever asks can wait, as where the first of several Sentinels
        // is silent, and is there for the next who asks.
        let link = self.clone();
        let connecting = tokio::spawn(async move { link.connect().await });
        let gone = |_| RedisError::from((ErrorKind::Client, "the connection was given up"));
        connecting.await.map_err(gone)?
    }

    async fn connect(&self) -> Result<Connection, RedisError> {
        let _one = self.connecting.lock().await;
        if let Some(connection) = &*self.open.lock().await {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(SILENCE))
            .set_response_timeout(Some(SILENCE));
        let connection = match &self.target {
            Target::Server(client) => {
                Connection::Server(client.get_multiplexed_async_connection_with_config(&config).await?)
            }
            Target::Sentinel { asking, .. } => {
                let client = asking.lock().await.async_get_client().await?;
                Connection::Server(client.get_multiplexed_async_connection_with_config(&config).await?)
            }
            Target::Cluster { client, .. } => Connection::Cluster(client.get_async_connection().await?),
        };
        Ok(self.open.lock().await.insert(connection).clone())
    }

    /// A connection of its own that hears what is published on `channel`.
    pub(super) async fn listen(&self, channel: &str) -> Result<PubSub, RedisError> {
        let mut listener = match &self.target {
            Target::Server(client) => client.get_async_pubsub().await?,
            Target::Sentinel { listening, .. } => {
                let client = listening.lock().await.async_get_client().await?;
                client.get_async_pubsub().await?
            }
            // Whatever is published in a cluster reaches each node of it.
            Target::Cluster { nodes, .. } => first_to_answer(nodes).await?,
        };
        listener.subscribe(channel).await?;
        Ok(listener)
    }
}

async fn first_to_answer(nodes: &[Client]) -> Result<PubSub, RedisError> {
    let mut last = RedisError::from((ErrorKind::Client, "the cluster has no nodes"));
    for node in nodes {
        match tokio::time::timeout(SILENCE, node.get_async_pubsub()).await {
            Ok(Ok(listener)) => return Ok(listener),
            Ok(Err(error)) => last = error,
            Err(_) => {}
        }
    }
    Err(last)
}

/// Whether the server itself said so, over a connection that is sound; a former primary is not the place to go on asking.
fn is_an_answer(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => !matches!(kind, ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown),
        ErrorKind::UnexpectedReturnType | ErrorKind::Extension => true,
        _ => false,
    }
}
