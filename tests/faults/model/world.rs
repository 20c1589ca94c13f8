//! The state of the model, and the effects of its events: workers, network, time, users and faults.

use std::collections::BTreeSet;

use longshore::job::State;
use stateright::{Model, Property};

use super::action::{Action, Message};
use super::bounds::Bounds;
use super::event_counts::EventCounts;
use super::job_row::{Finish, FinishAnswer, Grant, JobRow, Report};
use super::promise::Promise;
use super::server::ModelServer;
use super::variant::Variant;

/// State of the model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) server: ModelServer,
    /// Lease that each worker runs. A paused worker is one that takes no step for a long time.
    running: Vec<Option<Grant>>,
    network: BTreeSet<Message>,
    copy: Option<Vec<JobRow>>,
    restores: u8,
    /// Number of leases of each job so far.
    serials: Vec<u8>,
    /// Highest token of each job so far.
    highest: Vec<i64>,
    /// Leases whose workers have started the job.
    started: BTreeSet<(usize, u8)>,
    /// Finishes that were acknowledged as accepted.
    acknowledged: BTreeSet<(usize, u8, Report)>,
    pub(super) broken: BTreeSet<Promise>,
}

/// Model to check: its bounds, and the variant of its server.
#[derive(Clone)]
pub(super) struct Scenario {
    pub(super) bounds: Bounds,
    pub(super) variant: Variant,
    promises: Vec<Promise>,
    event_counts: EventCounts,
}

impl Scenario {
    pub(super) fn new(bounds: Bounds, variant: Variant) -> Self {
        Self {
            bounds,
            variant,
            promises: Promise::ALL.to_vec(),
            event_counts: EventCounts::default(),
        }
    }

    /// Returns the scenario with checks of one promise only.
    pub(super) fn checking_only(self, promise: Promise) -> Self {
        Self { promises: vec![promise], ..self }
    }

    /// Returns the scenario with its events counted in `event_counts`.
    pub(super) fn counted_in(self, event_counts: &EventCounts) -> Self {
        Self { event_counts: event_counts.clone(), ..self }
    }

    fn lease(&self, world: &mut World, worker: u8, job: usize) {
        let serial = world.serials[job] + 1;
        let Some(grant) = world.server.lease(job, worker, serial, self.variant) else { return };
        world.serials[job] = serial;
        if grant.token <= world.highest[job] {
            world.broken.insert(Promise::TokensRise);
        }
        world.highest[job] = world.highest[job].max(grant.token);
        world.network.insert(Message::Granted(grant));
    }

    fn finish(&self, world: &mut World, finish: &Finish) {
        let Grant { job, serial, .. } = finish.grant;
        let before = world.server.rows()[job].clone();
        let Some(answer) = world.server.finish(finish, self.variant) else { return };
        let claim = (serial, finish.report);
        match answer {
            FinishAnswer::Accepted => {
                self.event_counts.count(world.server.rows()[job].state.as_str());
                if before.holder != Some(serial) {
                    world.broken.insert(Promise::OnlyTheHolderFinishes);
                }
                if before.accepted.iter().any(|(known, _)| *known == serial) {
                    world.broken.insert(Promise::LeaseEndsOnce);
                }
                world.acknowledged.insert((job, serial, finish.report));
            }
            FinishAnswer::Repeated => {
                self.event_counts.count("repeated");
                // A release only asks that the lease is not held any more.
                let is_outcome = !matches!(finish.report, Report::Release | Report::NotStarted);
                if is_outcome && !before.accepted.contains(&claim) {
                    world.broken.insert(Promise::RepeatedWasAccepted);
                }
            }
            FinishAnswer::Stale => self.event_counts.count("stale"),
        }
    }

    fn renew(&self, world: &mut World, grant: &Grant) {
        let holder = world.server.rows()[grant.job].holder;
        let Some(renewed) = world.server.renew(grant, self.variant) else { return };
        self.event_counts.count(if renewed { "renewed" } else { "not renewed" });
        if renewed && holder != Some(grant.serial) {
            world.broken.insert(Promise::OnlyTheHolderRenews);
        }
    }

    /// Records the promises that a step has broken, as far as the stored jobs show that.
    fn compare(&self, before: &World, world: &mut World, action: Action) {
        let is_restore = action == Action::Restore;
        for job in 0..self.bounds.jobs.len() {
            let (was, is) = (&before.server.rows()[job], &world.server.rows()[job]);
            let is_manual = is.manual_retries > was.manual_retries || is_restore;
            let is_finished = is.accepted.len() > was.accepted.len();
            let mut broken = Vec::new();
            if was.state.is_final() && *is != *was && !is_manual {
                broken.push(Promise::FinalStays);
            }
            if is.ends > 1 {
                broken.push(Promise::JobEndsOnce);
            }
            // A restored copy does not know which jobs were started after it was made.
            let leases = world.started.iter().filter(|(known, _)| *known == job).count();
            if is.at_most_once && leases > 1 && world.restores == 0 {
                broken.push(Promise::AtMostOnceStartsOnce);
            }
            let is_right = match (is.result, is.ended_by) {
                (None, by) => !matches!(by, Some(Report::Complete(_))),
                (Some(value), by) => by == Some(Report::Complete(value)),
            };
            if !is_right || is.result.is_some() != (is.state == State::Completed) {
                broken.push(Promise::ResultIsFromAcceptedFinish);
            }
            let was_held = was.holder.is_some() && !was.is_expired;
            if was_held && is.holder != was.holder && !is_finished && !is_restore {
                broken.push(Promise::NoRescueBeforeExpiry);
            }
            world.broken.extend(broken);
        }
        let rows = world.server.rows();
        let is_stored = |(job, serial, report): &(usize, u8, Report)| {
            rows[*job].accepted.contains(&(*serial, *report))
        };
        if !world.acknowledged.iter().all(is_stored) {
            world.broken.insert(Promise::AcceptedFinishIsKept);
        }
    }

    /// Delivers a message. A server that is down does not receive it. A worker that already runs a job
    /// ignores a further lease.
    fn arrive(&self, world: &mut World, message: Message) {
        match message {
            Message::Granted(grant) => {
                let slot = &mut world.running[usize::from(grant.worker)];
                if slot.is_none() {
                    *slot = Some(grant);
                    world.started.insert((grant.job, grant.serial));
                }
            }
            Message::Finish(finish) => self.finish(world, &finish),
            Message::Renew(grant) => self.renew(world, &grant),
        }
    }

    fn act(&self, world: &mut World, action: Action) {
        let variant = self.variant;
        match action {
            Action::Lease { worker, job } => self.lease(world, worker, job),
            Action::End { worker, report } => {
                if let Some(grant) = world.running[usize::from(worker)].take() {
                    world.network.insert(Message::Finish(Finish { grant, report }));
                }
            }
            Action::RequestRenewal { worker } => {
                if let Some(grant) = world.running[usize::from(worker)] {
                    world.network.insert(Message::Renew(grant));
                }
            }
            Action::Die { worker } => world.running[usize::from(worker)] = None,
            Action::ArriveTwice(message) => self.arrive(world, message),
            Action::Arrive(message) => {
                world.network.remove(&message);
                self.arrive(world, message);
            }
            Action::Lose(message) => {
                world.network.remove(&message);
            }
            Action::ReleaseUndelivered(grant) => {
                world.network.remove(&Message::Granted(grant));
                let report = Report::NotStarted;
                world.network.insert(Message::Finish(Finish { grant, report }));
            }
            Action::Expire { job } => world.server.expire(job),
            Action::Rescue { job } => world.server.rescue(job, false, variant),
            Action::TimeOut { job } => world.server.rescue(job, true, variant),
            Action::Stage { job } => world.server.stage(job),
            Action::Cancel { job } => world.server.cancel(job),
            Action::Retry { job } => world.server.retry(job, variant),
            Action::Crash => world.server.crash(),
            Action::Start => world.server.start(variant),
            Action::Copy => world.copy = Some(world.server.copy()),
            Action::Restore => {
                let Some(copy) = world.copy.take() else { return };
                world.server.restore(copy, variant);
                world.restores += 1;
                // The restore loses everything after the copy, including acknowledged finishes.
                world.acknowledged.clear();
            }
        }
    }
}

impl Model for Scenario {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let rows = self.bounds.jobs.iter().map(|(attempts, once)| JobRow::new(*attempts, *once));
        let jobs = self.bounds.jobs.len();
        vec![World {
            server: ModelServer::new(rows.collect()),
            running: vec![None; self.bounds.workers.into()],
            network: BTreeSet::new(),
            copy: None,
            restores: 0,
            serials: vec![0; jobs],
            highest: vec![0; jobs],
            started: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            broken: BTreeSet::new(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let has_room = world.network.len() < self.bounds.in_flight;
        for worker in 0..self.bounds.workers {
            if has_room && world.running[usize::from(worker)].is_some() {
                let ends = self.bounds.reports.iter();
                actions.extend(ends.map(|report| Action::End { worker, report: *report }));
                actions.extend([Action::RequestRenewal { worker }, Action::Die { worker }]);
            }
        }
        for message in &world.network {
            actions.push(Action::Arrive(*message));
            actions.push(Action::ArriveTwice(*message));
            actions.push(Action::Lose(*message));
            if let Message::Granted(grant) = *message
                && !world.started.contains(&(grant.job, grant.serial))
            {
                actions.push(Action::ReleaseUndelivered(grant));
            }
        }
        for job in 0..self.bounds.jobs.len() {
            if has_room && world.serials[job] < self.bounds.leases {
                // Symmetry reduction: all workers are alike, so worker 0 takes the first lease.
                let is_first = world.serials.iter().all(|serial| *serial == 0);
                let workers = if is_first { 1 } else { self.bounds.workers };
                actions.extend((0..workers).map(|worker| Action::Lease { worker, job }));
            }
            if world.server.rows()[job].manual_retries < self.bounds.retries {
                actions.push(Action::Retry { job });
            }
            actions.extend([Action::Expire { job }, Action::Rescue { job }]);
            actions.extend([Action::TimeOut { job }, Action::Stage { job }]);
            actions.push(Action::Cancel { job });
        }
        actions.push(if world.server.is_up() { Action::Crash } else { Action::Start });
        match world.copy {
            None if world.restores < self.bounds.copies => actions.push(Action::Copy),
            Some(_) => actions.push(Action::Restore),
            None => {}
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        self.act(&mut world, action);
        if world == *before {
            return None;
        }
        self.compare(before, &mut world, action);
        self.event_counts.count(action.kind());
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        self.promises.iter().map(|promise| promise.property()).collect()
    }
}
