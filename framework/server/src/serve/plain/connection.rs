//! The loop, its deadlines, and slow readers.

use super::{
    answer::{Answered, DateLine, Desk},
    ask,
    head::{self, Head},
};
use crate::{edge::Peer, serve::Stop, site::Site};
use axum::body::Body;
use bytes::{Buf as _, Bytes};
use http::Request;
use std::{
    cell::RefCell,
    future::{Future as _, pending, poll_fn},
    io::{self, IoSlice},
    ops::ControlFlow,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    runtime::Handle,
    time::{Instant, sleep, timeout, timeout_at},
};

/// Bytes that are read at a time. A longer head goes to hyper, which knows how to refuse it.
const READ: usize = 16 * 1024;

/// A reader that takes nothing for so long is gone: its answer holds memory.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Every answer may take so long, however short it is: as long as one pause that [`WRITE_TIMEOUT`] allows, on a phone in a
/// tunnel for instance.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes a second that a reader takes at least, on top of that: half of what a phone gets over EDGE. Else one byte in each
/// [`WRITE_TIMEOUT`] would hold a connection and its answer for ever.
const SLOWEST_READER: u64 = 8 * 1024;

/// Answers to one connection before the others of its thread have their turn. Each takes some microseconds, so that they
/// wait for a fraction of a millisecond; and what a turn costs is small beside so many.
const MOST_ANSWERS: usize = 32;

/// How long the other side may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Patience {
    /// For sending a head. Who sends nothing is cut off after twice as long at most.
    pub(in crate::serve) head: Duration,
    /// For taking an answer of so many bytes.
    pub(in crate::serve) answer: fn(usize) -> Duration,
}

impl Patience {
    /// So long for a head, and for an answer what a slow connection needs.
    pub(in crate::serve) fn with_head(head: Duration) -> Self {
        Self { head, answer: longest }
    }
}

/// How long an answer of so many bytes may take.
fn longest(length: usize) -> Duration {
    let seconds = u64::try_from(length).unwrap_or(u64::MAX) / SLOWEST_READER;
    ANSWER_TIMEOUT + Duration::from_secs(seconds)
}

/// How this part of a connection ended.
#[derive(Debug)]
pub(in crate::serve) enum Ended {
    /// The connection is closed.
    Closed,
    /// The connection goes on with something that is not plain; these bytes of it were read.
    Other(TcpStream, Bytes),
}

/// Answers plain requests on this connection as long as there is nothing else on it.
///
/// A client that takes longer than there is `patience` is cut off. Renders run on `main`.
pub(in crate::serve) async fn serve(
    site: &Arc<Site>,
    stream: TcpStream,
    peer: Peer,
    stop: &Stop,
    patience: Patience,
    main: &Handle,
) -> Ended {
    let mut connection = Connection {
        site,
        stream,
        peer,
        stop,
        longest: patience.answer,
        held: Vec::new(),
        resumes: false,
        blocked: None,
        asking: None,
        closing: false,
    };
    let mut timer = pin!(sleep(patience.head));
    let mut stopped = pin!(stop.wait());
    // Whether a whole request has come since the timer was set.
    let mut active = false;
    // Whether timer and end would wake this task.
    let mut registered = false;
    loop {
        let step = poll_fn(|cx| {
            let answered = match connection.poll(cx) {
                (Poll::Ready(step), _) => return Poll::Ready(step),
                (Poll::Pending, answered) => answered,
            };
            active |= answered > 0;
            // Both stay registered with this task, so they are asked only where they may be what woke it: asking takes
            // locks that all connections share.
            if registered && answered > 0 && !timer.is_elapsed() && !stop.is_set() {
                return Poll::Pending;
            }
            registered = true;
            // What was read whole has its turn yet: the next answer is the last, and says so.
            if stopped.as_mut().poll(cx).is_ready() && !connection.resumes {
                return Poll::Ready(Step::Close);
            }
            while timer.as_mut().poll(cx).is_ready() {
                if !std::mem::take(&mut active) {
                    return Poll::Ready(Step::Close);
                }
                timer.as_mut().reset(Instant::now() + patience.head);
            }
            Poll::Pending
        })
        .await;
        match step {
            Step::Close => {
                // The other side may be gone.
                let _ = timeout(WRITE_TIMEOUT, connection.stream.shutdown()).await;
                return Ended::Closed;
            }
            Step::Gone => return Ended::Closed,
            Step::Other => return Ended::Other(connection.stream, connection.held.into()),
            Step::Began | Step::Yield => {}
            Step::Ask => {
                if connection.ask(main).await.is_err() {
                    return Ended::Closed;
                }
            }
            Step::Blocked => {
                if connection.unblock().await.is_err() {
                    return Ended::Closed;
                }
            }
        }
        (active, registered) = (false, false);
        timer.as_mut().reset(Instant::now() + patience.head);
    }
}

/// Why the loop stops reading.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// All is answered, and the connection ends.
    Close,
    /// The client has left, or cannot be written to.
    Gone,
    /// What comes next is not plain.
    Other,
    /// The first part of a head has come: from now on it must be complete in time.
    Began,
    /// The client does not take the answer as fast as it was made.
    Blocked,
    /// A stored page is to be asked for that is no hit.
    Ask,
    /// Other connections have their turn before what is held.
    Yield,
}

struct Connection<'s> {
    site: &'s Arc<Site>,
    stream: TcpStream,
    /// The other end.
    peer: Peer,
    stop: &'s Stop,
    /// How long an answer of so many bytes may take.
    longest: fn(usize) -> Duration,
    /// What was read and not answered.
    held: Vec<u8>,
    /// Whether there may be a whole request in what is held.
    resumes: bool,
    /// What is left of an answer: head and body.
    blocked: Option<(Bytes, Bytes)>,
    /// What is to be asked for.
    asking: Option<Request<Body>>,
    /// Whether the answer that is to be written is the last.
    closing: bool,
}

/// What every connection of a thread uses in its turn, so that one that is idle holds no buffer.
struct Scratch {
    read: Box<[u8]>,
    desk: Desk,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { read: vec![0; READ].into_boxed_slice(), desk: Desk::default() });
}

impl Connection<'_> {
    /// Reads and answers until there is nothing to read, something else to be done, or enough done at once; also says how
    /// many requests were answered.
    fn poll(&mut self, cx: &mut Context<'_>) -> (Poll<Step>, usize) {
        let mut answered = 0;
        let step = SCRATCH.with_borrow_mut(|scratch| {
            if std::mem::take(&mut self.resumes) {
                let held = std::mem::take(&mut self.held);
                if let ControlFlow::Break(step) = self.answer_all(&held, &mut scratch.desk, &mut answered) {
                    return Poll::Ready(step);
                }
            }
            loop {
                let mut read = ReadBuf::new(&mut scratch.read);
                match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read)) {
                    Ok(()) if read.filled().is_empty() => return Poll::Ready(Step::Gone),
                    Ok(()) => {}
                    Err(_) => return Poll::Ready(Step::Gone),
                }
                let fresh = read.filled();
                let flow = if self.held.is_empty() {
                    let began = self.answer_all(fresh, &mut scratch.desk, &mut answered);
                    match began {
                        ControlFlow::Continue(()) if !self.held.is_empty() => ControlFlow::Break(Step::Began),
                        flow => flow,
                    }
                } else {
                    let mut held = std::mem::take(&mut self.held);
                    held.extend_from_slice(fresh);
                    self.answer_all(&held, &mut scratch.desk, &mut answered)
                };
                if let ControlFlow::Break(step) = flow {
                    return Poll::Ready(step);
                }
            }
        });
        if step == Poll::Ready(Step::Yield) {
            cx.waker().wake_by_ref();
            return (Poll::Pending, answered);
        }
        (step, answered)
    }

    /// Answers all whole requests in `bytes`, and holds the rest.
    fn answer_all(&mut self, bytes: &[u8], desk: &mut Desk, answered: &mut usize) -> ControlFlow<Step> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if *answered >= MOST_ANSWERS {
                return self.pause(rest, false, Step::Yield);
            }
            let mut room = head::room();
            let asked = match head::read(rest, &mut room) {
                Head::Plain(asked) => asked,
                Head::Partial if rest.len() < READ => break,
                Head::Partial | Head::Other => return self.leave(rest),
            };
            let closing = asked.closes || self.stop.is_set();
            let (site, stream) = (self.site, &self.stream);
            let send = |head: &_, body: &_| send(stream, head, body);
            let answer = site.answer_plainly(&asked, self.peer, closing, desk, send);
            let behind = rest.get(asked.length..).unwrap_or_default();
            let sent = match answer {
                Answered::Sent(sent) => sent,
                Answered::Leave => return self.leave(rest),
                Answered::Ask(ran) => {
                    self.asking = ask::request(&asked, self.peer, ran);
                    if self.asking.is_none() {
                        return self.leave(rest);
                    }
                    return self.pause(behind, closing, Step::Ask);
                }
            };
            *answered += 1;
            rest = behind;
            match sent {
                Ok(None) if closing => return ControlFlow::Break(Step::Close),
                Ok(None) => {}
                Ok(Some(left)) => {
                    self.blocked = Some(left);
                    return self.pause(behind, closing, Step::Blocked);
                }
                Err(_) => return ControlFlow::Break(Step::Gone),
            }
        }
        self.held.extend_from_slice(rest);
        ControlFlow::Continue(())
    }

    fn leave(&mut self, rest: &[u8]) -> ControlFlow<Step> {
        self.held = rest.to_vec();
        ControlFlow::Break(Step::Other)
    }

    /// Goes on with what is `behind` once the step is done.
    fn pause(&mut self, behind: &[u8], closing: bool, step: Step) -> ControlFlow<Step> {
        self.closing = closing;
        self.held = behind.to_vec();
        self.resumes = true;
        ControlFlow::Break(step)
    }

    /// Asks for a page that is no hit, and writes the answer. Ends where the client does not wait for it; who else waits for
    /// the page gets it.
    async fn ask(&mut self, main: &Handle) -> io::Result<()> {
        let Some(request) = self.asking.take() else { return Ok(()) };
        let answer = tokio::select! {
            biased;
            answer = ask::answer(self.site.clone(), main, request) => answer,
            () = left(&self.stream) => None,
        };
        let Some((mut head, body)) = answer else {
            return Err(io::ErrorKind::ConnectionAborted.into());
        };
        // The end may have been said while the page was made.
        self.closing |= self.stop.is_set();
        self.site.end_of_head(&mut head, &mut DateLine::default(), self.closing);
        self.blocked = Some((head.into(), body));
        self.unblock().await
    }

    /// Writes what is left of an answer, as fast as the client takes it.
    async fn unblock(&mut self) -> io::Result<()> {
        let Some((mut head, mut body)) = self.blocked.take() else { return Ok(()) };
        let deadline = Instant::now() + (self.longest)(head.len() + body.len());
        while head.has_remaining() || body.has_remaining() {
            let part = if head.has_remaining() { &mut head } else { &mut body };
            let pause_ends = deadline.min(Instant::now() + WRITE_TIMEOUT);
            match timeout_at(pause_ends, self.stream.write_buf(part)).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                // A socket that takes something each time never lets the deadline be asked.
                Ok(Ok(_)) if Instant::now() >= deadline => return Err(io::ErrorKind::TimedOut.into()),
                Ok(written) => written.map(drop)?,
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        if self.closing {
            let _ = timeout(WRITE_TIMEOUT, self.stream.shutdown()).await;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

/// Waits until the other side has left, or sends nothing more, which hyper takes for the same. What it sends meanwhile is
/// left where it is.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) async fn left(stream: &TcpStream) {
    // Of all that can be waited for, this alone is not ready when bytes have come: it stands for the end, and for urgent
    // bytes, which nobody asks the kernel to report.
    match stream.ready(tokio::io::Interest::PRIORITY).await {
        Ok(ready) if !ready.is_read_closed() => pending().await,
        _ => {}
    }
}

/// Waits until the other side has left, or sends nothing more, which hyper takes for the same. What it sends meanwhile is
/// left where it is, and hides the end: this system does not tell them apart.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) async fn left(stream: &TcpStream) {
    match stream.peek(&mut [0]).await {
        Ok(1..) => pending().await,
        _ => {}
    }
}

/// Writes as much as the kernel takes at once; gives what is left.
fn send(stream: &TcpStream, head: &[u8], body: &Bytes) -> io::Result<Option<(Bytes, Bytes)>> {
    let written = match stream.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
        Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    if written == head.len() + body.len() {
        return Ok(None);
    }
    let of_body = body.slice(written.saturating_sub(head.len()).min(body.len())..);
    Ok(Some((Bytes::copy_from_slice(head.get(written..).unwrap_or_default()), of_body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_take_half_a_minute_and_a_second_for_every_8_kib() {
        for (length, seconds) in [(0, 30), (8 * 1024, 31), (1024 * 1024, 158), (100 << 20, 12_830)] {
            assert_eq!(longest(length), Duration::from_secs(seconds), "{length}");
        }
    }
}
