//! How far the request and the answer of a connection are, and for how long it may stay so.

use std::cell::{Cell, RefCell};
use std::task::{Context, Waker};

use super::rate::AnswerRate;

/// Maximum time in which a client must send the head of a request, in seconds.
const HEAD_SECS: u32 = 5;

/// Maximum time in which a client must send the body of a request, in seconds.
pub(in crate::http) const BODY_SECS: u32 = 60;

/// Time after which an idle connection is closed, in seconds. Longer than the usual 60 s of a reverse
/// proxy, so that the proxy closes the connection first and never sends a request on a closed one.
const KEEP_ALIVE_SECS: u32 = 75;

/// Time by which the limits of handlers may be exceeded, in seconds. Those limits apply first and send an
/// answer; the limits of this file only close the connection. actix-web has no limits of its own here: it
/// would refuse a head that is there when its thread was busy for a few seconds, and set a timer after each
/// answer.
const MARGIN_SECS: u32 = 5;

/// Maximum time for which a client may take nothing of an answer, in seconds.
const STALLED_SECS: u32 = 30;

/// Time after which a connection whose client takes nothing of its answer may be closed to make room, in
/// seconds.
const SPARED_STALL_SECS: u32 = 5;

/// Maximum time for which the rest of a refused body is received and dropped, in seconds. A connection
/// that is closed with unread bytes is reset, and the client might lose the answer.
const LINGER_SECS: u32 = 2;

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The rest of the head of a request.
    Head,
    /// A handler has the request; the rest of its body.
    Body,
    /// The request is complete; its answer.
    Answer,
    /// The next request.
    Idle,
    /// The client: the answer is sent, and the request was not read to its end.
    Linger,
}

impl Phase {
    /// Returns for how many seconds a connection may be in this phase. A request that is complete may wait
    /// for its answer for as long as its handler lets it.
    fn limit(self) -> Option<u32> {
        match self {
            Self::Head => Some(HEAD_SECS),
            Self::Body => Some(BODY_SECS + MARGIN_SECS),
            Self::Answer => None,
            Self::Idle => Some(KEEP_ALIVE_SECS),
            Self::Linger => Some(LINGER_SECS),
        }
    }
}

/// The progress of a connection. The connection, the handler of its request and the watch share it.
///
/// Time is counted in ticks of one second, so that a request that makes progress reads no clock and sets
/// no timer.
#[derive(Debug)]
pub(super) struct Progress {
    phase: Cell<Phase>,
    /// Number of ticks in this phase.
    secs: Cell<u32>,
    /// Number of ticks for which the client has taken no byte of an answer that waits to be sent.
    stalled_secs: Cell<u32>,
    is_stalled: Cell<bool>,
    /// Rate at which the client takes this answer.
    rate: AnswerRate,
    /// Whether the body of the answer has been passed on completely. It may not be sent yet.
    answer_ended: Cell<bool>,
    /// Whether bytes have arrived that follow a complete request.
    is_ahead: Cell<bool>,
    closes_after_answer: Cell<bool>,
    is_over: Cell<bool>,
    /// Task of the connection.
    task: RefCell<Option<Waker>>,
}

impl Progress {
    /// Returns the progress of a connection that was just accepted.
    pub(super) fn new() -> Self {
        Self {
            phase: Cell::new(Phase::Head),
            secs: Cell::new(0),
            stalled_secs: Cell::new(0),
            is_stalled: Cell::new(false),
            rate: AnswerRate::default(),
            answer_ended: Cell::new(false),
            is_ahead: Cell::new(false),
            closes_after_answer: Cell::new(false),
            is_over: Cell::new(false),
            task: RefCell::new(None),
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.secs.set(0);
    }

    /// Records that bytes have arrived.
    pub(super) fn received(&self) {
        match self.phase.get() {
            Phase::Idle => self.enter(Phase::Head),
            Phase::Answer => self.is_ahead.set(true),
            Phase::Head | Phase::Body | Phase::Linger => {}
        }
    }

    /// Records that the head of a request is complete.
    pub(super) fn head_complete(&self, has_body: bool) {
        self.answer_ended.set(false);
        self.is_ahead.set(false);
        self.rate.restart();
        self.enter(if has_body { Phase::Body } else { Phase::Answer });
    }

    /// Records that the body of the request has been read to its end.
    pub(super) fn body_complete(&self) {
        if self.phase.get() == Phase::Body {
            self.enter(Phase::Answer);
        }
    }

    /// Returns whether the body of the request has not been read to its end.
    pub(super) fn has_unread_body(&self) -> bool {
        self.phase.get() == Phase::Body
    }

    /// Closes the connection as soon as the answer is sent.
    pub(super) fn close_after_answer(&self) {
        self.closes_after_answer.set(true);
    }

    /// Records that the client was refused, and gives it time to read why.
    pub(super) fn refused(&self) {
        if !self.lingers() {
            self.enter(Phase::Linger);
        }
    }

    /// Records the size of the answer, if it is known.
    pub(super) fn answer_starts(&self, bytes: u64) {
        self.rate.set_size(bytes);
    }

    /// Records that the answer has been passed on completely.
    pub(super) fn answer_ended(&self) {
        self.answer_ended.set(true);
    }

    /// Records that the client has taken so many bytes.
    pub(super) fn taken(&self, bytes: usize) {
        self.is_stalled.set(false);
        self.stalled_secs.set(0);
        self.rate.taken(bytes);
    }

    /// Records that bytes wait for the client.
    pub(super) fn stalled(&self) {
        self.is_stalled.set(true);
    }

    /// Records that all bytes so far are sent. Returns whether the connection must be closed now.
    pub(super) fn flushed(&self) -> bool {
        self.taken(0);
        if !self.answer_ended.replace(false) {
            return false;
        }
        if self.closes_after_answer.get() {
            self.enter(Phase::Linger);
            return true;
        }
        self.enter(if self.is_ahead.replace(false) { Phase::Head } else { Phase::Idle });
        false
    }

    /// Returns whether everything that arrives is dropped.
    pub(super) fn lingers(&self) -> bool {
        self.phase.get() == Phase::Linger
    }

    /// Returns how little is lost if the connection is closed, the more the less, or `None` if its client
    /// waits for an answer or reads it. An unfinished request has had no effect; a connection without one
    /// loses nothing.
    pub(super) fn spare_rank(&self) -> Option<(u8, u32)> {
        let rank = match self.phase.get() {
            _ if self.is_over.get() => return None,
            Phase::Linger => 4,
            Phase::Idle => 3,
            Phase::Head => 2,
            Phase::Body => 1,
            Phase::Answer if self.stalled_secs.get() >= SPARED_STALL_SECS => 0,
            Phase::Answer => return None,
        };
        Some((rank, self.secs.get()))
    }

    /// Returns whether the connection ends because a head did not arrive in time, and then gives the client
    /// time to read an answer.
    pub(super) fn take_late_head(&self) -> bool {
        let is_late = self.is_over.get() && self.phase.get() == Phase::Head;
        if !is_late || self.is_stalled.get() {
            return false;
        }
        self.is_over.set(false);
        self.enter(Phase::Linger);
        true
    }

    /// Returns whether the time of the connection is over.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Ends the connection.
    pub(super) fn end(&self) {
        self.is_over.set(true);
        if let Some(task) = self.task.borrow().as_ref() {
            task.wake_by_ref();
        }
    }

    /// Counts a second, and ends the connection if it has made no progress for too long.
    pub(super) fn tick(&self) {
        self.secs.set(self.secs.get().saturating_add(1));
        if self.is_stalled.get() {
            self.stalled_secs.set(self.stalled_secs.get().saturating_add(1));
            self.rate.count_wait();
        }
        let is_late = self.phase.get().limit().is_some_and(|limit| self.secs.get() > limit);
        if is_late || self.stalled_secs.get() > STALLED_SECS || self.rate.is_too_low() {
            self.end();
        }
    }

    /// Remembers the task of the connection, which [`Progress::end`] wakes.
    pub(super) fn set_task(&self, context: &Context<'_>) {
        if !self.is_task_of(context) {
            *self.task.borrow_mut() = Some(context.waker().clone());
        }
    }

    /// Returns whether this is the context of the task of the connection.
    pub(super) fn is_task_of(&self, context: &Context<'_>) -> bool {
        self.task.borrow().as_ref().is_some_and(|task| task.will_wake(context.waker()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns after how many seconds without any progress a connection ends, if it does within an hour.
    fn ends_after(progress: &Progress) -> Option<u32> {
        (1..=3_600).find(|_| {
            progress.tick();
            progress.is_over()
        })
    }

    fn answered(progress: &Progress) -> bool {
        progress.answer_ended();
        progress.flushed()
    }

    #[test]
    fn each_part_of_a_request_has_a_limit_and_a_complete_request_has_none() {
        let head = Progress::new();
        head.received();
        assert_eq!(ends_after(&head), Some(HEAD_SECS + 1));
        let body = Progress::new();
        body.head_complete(true);
        assert_eq!(ends_after(&body), Some(66));
        let complete = Progress::new();
        complete.head_complete(true);
        complete.body_complete();
        assert_eq!(ends_after(&complete), None);
    }

    #[test]
    fn a_connection_is_spared_last_if_its_request_is_further() {
        let [lingers, idle, head, body, unread, complete] = [(); 6].map(|()| Progress::new());
        lingers.head_complete(true);
        lingers.close_after_answer();
        answered(&lingers);
        idle.head_complete(false);
        answered(&idle);
        body.head_complete(true);
        body.tick();
        unread.head_complete(false);
        unread.stalled();
        for secs in 0..SPARED_STALL_SECS {
            assert_eq!(unread.spare_rank(), None, "{secs}");
            unread.tick();
        }
        complete.head_complete(false);
        let ranks = [&lingers, &idle, &head, &body, &unread, &complete];
        let ranks = ranks.map(|progress| progress.spare_rank().map(|(rank, _)| rank));
        assert_eq!(ranks, [Some(4), Some(3), Some(2), Some(1), Some(0), None]);
        assert_eq!(body.spare_rank(), Some((1, 1)));
        idle.end();
        assert_eq!(idle.spare_rank(), None);
    }

    #[test]
    fn bytes_that_drip_do_not_extend_a_limit() {
        let progress = Progress::new();
        progress.head_complete(false);
        assert!(!answered(&progress));
        for _ in 0..=HEAD_SECS {
            assert!(!progress.is_over());
            progress.received();
            progress.tick();
        }
        assert!(progress.is_over() && progress.take_late_head() && !progress.is_over());
        assert_eq!(ends_after(&progress), Some(LINGER_SECS + 1));
        assert!(!progress.take_late_head());
    }

    #[test]
    fn a_kept_connection_waits_for_the_next_request_unless_a_part_of_it_is_there() {
        let idle = Progress::new();
        idle.head_complete(false);
        assert!(!answered(&idle));
        assert_eq!(ends_after(&idle), Some(KEEP_ALIVE_SECS + 1));
        let ahead = Progress::new();
        ahead.head_complete(false);
        ahead.received();
        assert!(!answered(&ahead));
        assert_eq!(ends_after(&ahead), Some(HEAD_SECS + 1));
    }

    #[test]
    fn an_answer_of_which_the_client_takes_nothing_ends() {
        let progress = Progress::new();
        progress.head_complete(false);
        progress.stalled();
        assert_eq!(ends_after(&progress), Some(11));
        assert!(!progress.take_late_head());
        // What the client has taken before helps for a while.
        let progress = Progress::new();
        progress.head_complete(false);
        progress.taken(10 << 20);
        progress.stalled();
        assert_eq!(ends_after(&progress), Some(STALLED_SECS + 1));
    }

    #[test]
    fn each_answer_of_a_connection_has_its_own_time_and_a_stream_waits_at_no_cost() {
        let progress = Progress::new();
        for _ in 0..10 {
            progress.head_complete(false);
            progress.stalled();
            (0..10).for_each(|_| progress.tick());
            progress.taken(1);
            (0..100).for_each(|_| progress.tick());
            assert!(!progress.is_over());
        }
    }

    #[test]
    fn a_body_that_was_not_read_closes_the_connection_after_the_answer_and_not_before() {
        let progress = Progress::new();
        progress.head_complete(true);
        assert!(progress.has_unread_body());
        progress.close_after_answer();
        assert!(!progress.flushed());
        assert!(answered(&progress));
        assert!(progress.lingers());
        assert_eq!(ends_after(&progress), Some(LINGER_SECS + 1));
    }
}
