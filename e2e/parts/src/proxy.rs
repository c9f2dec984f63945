//! A TCP proxy that fails on command.

use crate::Error;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until},
};

/// The most that is read at once, in bytes.
const PIECE: usize = 16 << 10;
/// Pieces on their way in one direction of one connection. Beyond, the sender has to wait, as with a full window.
const ON_THE_WAY: usize = 256;
/// Connections at once; further ones are closed.
const CONNECTIONS: usize = 1024;

/// What happens to the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Requests arrive, answers do not.
    Mute,
    /// Nothing arrives, and nobody is told.
    Blackhole,
    /// Connections are reset.
    Cut,
}

#[derive(Debug, Clone, Copy)]
struct Fault {
    mode: Mode,
    delay: Duration,
}

const HEALTHY: Fault = Fault { mode: Mode::Open, delay: Duration::ZERO };

/// Stands before a server, on a free port of 127.0.0.1, until it is dropped. It needs the runtime in which it started.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    counts: Arc<Counts>,
    accepting: AbortHandle,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    open: AtomicUsize,
    requests: AtomicU64,
    answers: AtomicU64,
}

impl FaultProxy {
    /// Passes everything on to `to`, which need not listen yet.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(to: SocketAddr) -> Result<Self, Error> {
        let doing = "listening as a proxy";
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::io(doing))?;
        let address = listener.local_addr().map_err(Error::io(doing))?;
        let (fault, faults) = watch::channel(HEALTHY);
        let counts = Arc::new(Counts::default());
        let accepting = tokio::spawn(accept(listener, to, faults, counts.clone())).abort_handle();
        Ok(Self { address, fault, counts, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets each piece of an answer arrive that much later from now on, in order and without slowing the flow. Requests
    /// pass at once, so that this is what a round trip gains.
    pub fn delay(&self, delay: Duration) {
        self.fault.send_modify(|fault| fault.delay = delay);
    }

    /// Resets all connections, and each new one as soon as it is made.
    pub fn cut(&self) {
        self.set(Mode::Cut);
    }

    /// Keeps connections open and accepts new ones, but passes nothing on in either direction: half-open, as after a
    /// partition. What was sent meanwhile arrives after [`FaultProxy::heal`].
    pub fn blackhole(&self) {
        self.set(Mode::Blackhole);
    }

    /// Passes requests on and keeps answers back, so that what was asked for is done and nobody is told. The answers
    /// arrive after [`FaultProxy::heal`].
    pub fn mute(&self) {
        self.set(Mode::Mute);
    }

    /// Passes everything on again, at once.
    pub fn heal(&self) {
        self.fault.send_replace(HEALTHY);
    }

    /// Connections that were made so far, also those that were reset at once.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.counts.open.load(Ordering::Relaxed)
    }

    /// Bytes of requests that were passed on so far.
    pub fn request_bytes(&self) -> u64 {
        self.counts.requests.load(Ordering::Relaxed)
    }

    /// Bytes of answers that were passed on so far.
    pub fn answer_bytes(&self) -> u64 {
        self.counts.answers.load(Ordering::Relaxed)
    }

    fn set(&self, mode: Mode) {
        self.fault.send_modify(|fault| fault.mode = mode);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // The task owns the connections, so that they go with it.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, faults: watch::Receiver<Fault>, counts: Arc<Counts>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                counts.connections.fetch_add(1, Ordering::Relaxed);
                if connections.len() < CONNECTIONS {
                    connections.spawn(connection(client, to, faults.clone(), counts.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Counts a connection while it is open.
struct Opened(Arc<Counts>);

impl Opened {
    fn new(counts: &Arc<Counts>) -> Self {
        counts.open.fetch_add(1, Ordering::Relaxed);
        Self(counts.clone())
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn connection(
    client: TcpStream,
    to: SocketAddr,
    mut faults: watch::Receiver<Fault>,
    counts: Arc<Counts>,
) {
    let _opened = Opened::new(&counts);
    let _ = client.set_nodelay(true);
    let passes = |fault: &Fault| fault.mode != Mode::Blackhole;
    let Ok(mode) = faults.wait_for(passes).await.map(|fault| fault.mode) else { return };
    let server = if mode == Mode::Cut { None } else { TcpStream::connect(to).await.ok() };
    let Some(server) = server else {
        // Not a quiet end, which a client could take for an answer.
        let _ = client.set_zero_linger();
        return;
    };
    let (mut client, mut server) = (client, server);
    let _ = server.set_nodelay(true);
    let mut cut = faults.clone();
    let is_cut = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let requests = pump(from_client, to_server, faults.clone(), Direction::Requests, &counts.requests);
        let answers = pump(from_server, to_client, faults, Direction::Answers, &counts.answers);
        tokio::select! {
            _ = async { tokio::join!(requests, answers) } => false,
            _ = cut.wait_for(|fault| fault.mode == Mode::Cut) => true,
        }
    };
    if is_cut {
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Requests,
    Answers,
}

impl Direction {
    fn holds_back(self, mode: Mode) -> bool {
        mode == Mode::Blackhole || (mode == Mode::Mute && self == Direction::Answers)
    }
}

/// Passes one direction on until its sender closes it, and closes it then for the receiver.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut faults: watch::Receiver<Fault>,
    direction: Direction,
    passed: &AtomicU64,
) {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let delays = faults.clone();
    let read = async move {
        let mut buffer = vec![0; PIECE];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let delay = match direction {
                Direction::Requests => Duration::ZERO,
                Direction::Answers => delays.borrow().delay,
            };
            let piece = buffer.get(..length).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + delay, piece)).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, piece)) = pieces.recv().await {
            let healed = faults.wait_for(|fault| fault.delay.is_zero() && fault.mode == Mode::Open);
            tokio::select! {
                () = sleep_until(due) => {}
                _ = healed => {}
            }
            let passes = faults.wait_for(|fault| !direction.holds_back(fault.mode)).await.is_ok();
            if !passes || to.write_all(&piece).await.is_err() {
                return;
            }
            passed.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        // The end of a direction is traffic too.
        let _ = faults.wait_for(|fault| !direction.holds_back(fault.mode)).await;
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
