//! How the server does: now, and in the last hour.

use crate::actor::message::GetTimeBuckets;
use crate::job::counters::{Counters, bucket_start};
use crate::job::recorder::Recorder;
use crate::job::stats::{LaneLoad, Latency, POINTS, STEP, Stats, points};
use crate::job::{Lane, QueueName};
use crate::server::error::Error;
use crate::server::handle::Handle;
use crate::store::Write;

impl Handle {
    /// How a queue does, or all together: now, and in the last hour. A queue that nobody has named
    /// has done nothing.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub async fn stats(&self, queue: Option<QueueName>) -> Result<Stats, Error> {
        let _permit = self.list_read_permit()?;
        let at = self.clock().now();
        let last = bucket_start(at);
        let first = last.minus(STEP.duration() * (POINTS - 1) as u32);
        // Before the table is read: what is written down meanwhile is counted twice for a moment,
        // and not missed.
        let recorder = &self.connections().publisher.recorder;
        let now = recorder.with(|recorder| recorder.snapshot(queue.as_ref(), at));
        // Some more, to know how things stood before.
        let from = first.minus(STEP.duration() * 6);
        let written = GetTimeBuckets { queue: queue.clone(), span: (from, last) };
        let mut buckets = self.read(&self.connections().list_reads, written).await?;
        buckets.extend(now.buckets);
        let mut hour = Counters::default();
        let in_hour = buckets.iter().filter(|(began_at, _)| *began_at >= first);
        in_hour.for_each(|(_, tally)| hour.add(tally));
        Ok(Stats {
            at,
            queue,
            jobs: now.jobs,
            lanes: Lane::ALL.map(|lane| self.load(lane, now.running[lane.index()])).into(),
            step: STEP,
            points: points(&buckets, last),
            start: Latency::of(&hour.start),
            run: Latency::of(&hour.run),
        })
    }

    fn load(&self, lane: Lane, running: i64) -> LaneLoad {
        let workers = self.config().lanes.workers().get(lane.index()).copied();
        let workers = workers.filter(|_| lane != Lane::Remote);
        LaneLoad { lane, workers, busy: u32::try_from(running).unwrap_or(0) }
    }

    /// Writes down what the charts are drawn from, for the next start.
    pub(super) async fn write_time_buckets(&self) {
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
                    return tracing::info!(%error, "the last seconds of the charts are not kept");
                }
            }
        }
    }
}
