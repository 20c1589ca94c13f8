//! Statistics of the server: the current state and the last hour.

use crate::job::queue::StateCounts;
use crate::job::{Lane, QueueName, Timestamp};
use crate::metrics::counters::Counters;
use crate::metrics::recorder::Recorder;
use crate::metrics::stats::{LaneLoad, Latency, POINTS, Stats, points};
use crate::metrics::time_bucket::{STEP, bucket_start};
use crate::server::error::Error;
use crate::server::handle::Handle;
use crate::store::{ReadStore, Write};

impl Handle {
    /// Returns the statistics of one queue, or of all queues together: job counts and busy workers now,
    /// and time buckets and latencies of the last hour. All counts of an unknown queue are zero.
    ///
    /// # Errors
    /// Returns [`Error::Overloaded`] if too many reads are in progress, and [`Error::Unreadable`] if the
    /// database cannot be read.
    pub async fn stats(&self, queue: Option<QueueName>) -> Result<Stats, Error> {
        let _permit = self.list_read_permit()?;
        let at = self.clock().now();
        let last = bucket_start(at);
        let first = last.minus(STEP.duration() * (POINTS - 1) as u32);
        // The recorder is read before the table: a bucket that is written in between is counted twice
        // in this answer, instead of being missed.
        let recorder = &self.connections().publisher.recorder;
        let current = recorder.with(|recorder| self.visible_buckets(recorder, queue.as_ref(), at));
        // Six more buckets, to know the state before the first point.
        let from = first.minus(STEP.duration() * 6);
        let name = queue.clone();
        // The counts are those of the database, which other processes may change as well.
        let written = move |store: &mut dyn ReadStore, _| {
            let mut jobs = StateCounts::default();
            let counts = store.counts()?.into_iter();
            let wanted = counts.filter(|(queue, _)| name.as_ref().is_none_or(|name| name == queue));
            wanted.for_each(|(_, counts)| jobs.add(&counts));
            Ok((store.time_buckets(name.as_ref(), (from, last))?, jobs))
        };
        let (mut buckets, jobs) = self.list_read(written).await?;
        buckets.extend(current);
        let mut hour = Counters::default();
        let in_hour = buckets.iter().filter(|(started_at, _)| *started_at >= first);
        in_hour.for_each(|(_, counters)| hour.add(counters));
        Ok(Stats {
            at,
            queue,
            jobs,
            lanes: self.lane_loads(),
            step: STEP,
            points: points(&buckets, last),
            start: Latency::of(&hour.start),
            run: Latency::of(&hour.run),
        })
    }

    /// Returns the buckets in memory of a queue, or of all queues that the principal may use.
    fn visible_buckets(
        &self,
        recorder: &mut Recorder,
        queue: Option<&QueueName>,
        at: Timestamp,
    ) -> Vec<(Timestamp, Counters)> {
        if queue.is_some_and(|queue| !self.access().allows(queue)) {
            return Vec::new();
        }
        if queue.is_some() || self.access().is_all() {
            return recorder.snapshot(queue, at).buckets;
        }
        let queues = recorder.queues().into_iter().map(|(queue, _)| queue);
        let visible: Vec<QueueName> = queues.filter(|queue| self.access().allows(queue)).collect();
        visible.iter().flat_map(|queue| recorder.snapshot(Some(queue), at).buckets).collect()
    }

    /// Returns the load of each lane; empty if the principal may only use some queues, because the jobs of all
    /// queues share the lanes.
    fn lane_loads(&self) -> Vec<LaneLoad> {
        let is_shown = self.access().is_all();
        Lane::ALL.into_iter().filter(|_| is_shown).map(|lane| self.lane_load(lane)).collect()
    }

    /// Returns the number of workers of a lane, and of those that are busy.
    pub(in crate::server) fn lane_load(&self, lane: Lane) -> LaneLoad {
        let recorder = &self.connections().publisher.recorder;
        let running = recorder.with(|recorder| recorder.running(lane));
        self.load(lane, running)
    }

    fn load(&self, lane: Lane, running: i64) -> LaneLoad {
        let workers = self.config().lanes.workers().get(lane.index()).copied();
        let workers = workers.filter(|_| lane != Lane::Remote);
        LaneLoad { lane, workers, busy: u32::try_from(running).unwrap_or(0) }
    }

    /// Writes all time buckets, including the current one, before the server stops.
    pub(in crate::server) async fn write_time_buckets(&self) {
        let recorder = &self.connections().publisher.recorder;
        recorder.with(Recorder::close);
        loop {
            let closed = recorder.with(Recorder::take_unwritten);
            let count = closed.len();
            if count == 0 {
                return;
            }
            match self.write(Write::TimeBuckets(closed), 0).await {
                Ok(_) => recorder.with(|recorder| recorder.mark_written(count)),
                Err(error) => {
                    recorder.with(|recorder| recorder.mark_unwritten(count));
                    return tracing::info!(%error, "the last seconds of the charts are lost");
                }
            }
        }
    }
}
