//! Who acts in the model, and how: workers, the network, time, users, faults.

use std::collections::BTreeSet;

use longshore::job::State;
use stateright::{Model, Property};

use super::action::{Action, Message};
use super::bounds::Bounds;
use super::promise::Promise;
use super::row::{Finish, Grant, Report, Row, Taken};
use super::server::Server;
use super::tally::Tally;
use super::variant::Variant;

/// A moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) server: Server,
    /// What each worker runs. One that takes no step for long is one that is paused.
    hands: Vec<Option<Grant>>,
    network: BTreeSet<Message>,
    copy: Option<Vec<Row>>,
    restores: u8,
    /// How many leases of each job were ever given, and the highest token.
    serials: Vec<u8>,
    highest: Vec<i64>,
    /// The leases that their workers began with.
    begun: BTreeSet<(usize, u8)>,
    /// Finishes that somebody was told are done.
    answered: BTreeSet<(usize, u8, Report)>,
    pub(super) broken: BTreeSet<Promise>,
}

/// A model to check: a world and its server.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) bounds: Bounds,
    pub(super) variant: Variant,
    promises: Vec<Promise>,
    tally: Tally,
}

impl Scene {
    pub(super) fn new(bounds: Bounds, variant: Variant) -> Self {
        Self { bounds, variant, promises: Promise::ALL.to_vec(), tally: Tally::default() }
    }

    /// With a look at one promise only.
    pub(super) fn holding(self, promise: Promise) -> Self {
        Self { promises: vec![promise], ..self }
    }

    /// Counting what happens there.
    pub(super) fn tallied(self, tally: &Tally) -> Self {
        Self { tally: tally.clone(), ..self }
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
        let Some(taken) = world.server.finish(finish, self.variant) else { return };
        let said = (serial, finish.report);
        match taken {
            Taken::Accepted => {
                self.tally.count(world.server.rows()[job].state.as_str());
                if before.holder != Some(serial) {
                    world.broken.insert(Promise::OnlyTheHolderFinishes);
                }
                if before.accepted.iter().any(|(known, _)| *known == serial) {
                    world.broken.insert(Promise::LeaseEndsOnce);
                }
                world.answered.insert((job, serial, finish.report));
            }
            Taken::Repeated => {
                self.tally.count("repeated");
                // A release wishes for no more than that the lease is not held.
                let is_claim = !matches!(finish.report, Report::Release | Report::NotBegun);
                if is_claim && !before.accepted.contains(&said) {
                    world.broken.insert(Promise::RepeatedWasAccepted);
                }
            }
            Taken::Stale => self.tally.count("stale"),
        }
    }

    fn renew(&self, world: &mut World, grant: &Grant) {
        let holder = world.server.rows()[grant.job].holder;
        let Some(renewed) = world.server.renew(grant, self.variant) else { return };
        self.tally.count(if renewed { "renewed" } else { "not renewed" });
        if renewed && holder != Some(grant.serial) {
            world.broken.insert(Promise::OnlyTheHolderRenews);
        }
    }

    /// Notes what a step has broken that shows in the rows.
    fn compare(&self, before: &World, world: &mut World, action: Action) {
        let is_restore = action == Action::Restore;
        for job in 0..self.bounds.jobs.len() {
            let (was, is) = (&before.server.rows()[job], &world.server.rows()[job]);
            let by_hand = is.life > was.life || is_restore;
            let is_finished = is.accepted.len() > was.accepted.len();
            let mut broken = Vec::new();
            if was.state.is_final() && *is != *was && !by_hand {
                broken.push(Promise::FinalStays);
            }
            if is.ends > 1 {
                broken.push(Promise::LifeEndsOnce);
            }
            // Older copies know nothing of what has begun since.
            let leases = world.begun.iter().filter(|(known, _)| *known == job).count();
            if is.at_most_once && leases > 1 && world.restores == 0 {
                broken.push(Promise::OnceIsBegunOnce);
            }
            let is_right = match (is.result, is.ended_by) {
                (None, by) => !matches!(by, Some(Report::Complete(_))),
                (Some(value), by) => by == Some(Report::Complete(value)),
            };
            if !is_right || is.result.is_some() != (is.state == State::Completed) {
                broken.push(Promise::ResultIsOfTheAcceptedFinish);
            }
            let was_held = was.holder.is_some() && !was.is_over;
            if was_held && is.holder != was.holder && !is_finished && !is_restore {
                broken.push(Promise::LeaseHoldsUntilItRunsOut);
            }
            world.broken.extend(broken);
        }
        let rows = world.server.rows();
        let is_kept = |(job, serial, report): &(usize, u8, Report)| {
            rows[*job].accepted.contains(&(*serial, *report))
        };
        if !world.answered.iter().all(is_kept) {
            world.broken.insert(Promise::AnsweredIsKept);
        }
    }

    /// A message is at its end. A server that does not run does not get it; a worker that runs
    /// something has not asked for more.
    fn arrive(&self, world: &mut World, message: Message) {
        match message {
            Message::Granted(grant) => {
                let hand = &mut world.hands[usize::from(grant.worker)];
                if hand.is_none() {
                    *hand = Some(grant);
                    world.begun.insert((grant.job, grant.serial));
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
                if let Some(grant) = world.hands[usize::from(worker)].take() {
                    world.network.insert(Message::Finish(Finish { grant, report }));
                }
            }
            Action::AskForTime { worker } => {
                if let Some(grant) = world.hands[usize::from(worker)] {
                    world.network.insert(Message::Renew(grant));
                }
            }
            Action::Die { worker } => world.hands[usize::from(worker)] = None,
            Action::ArriveTwice(message) => self.arrive(world, message),
            Action::Arrive(message) => {
                world.network.remove(&message);
                self.arrive(world, message);
            }
            Action::Lose(message) => {
                world.network.remove(&message);
            }
            Action::GiveBack(grant) => {
                world.network.remove(&Message::Granted(grant));
                let report = Report::NotBegun;
                world.network.insert(Message::Finish(Finish { grant, report }));
            }
            Action::RunOut { job } => world.server.run_out(job),
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
                // What happened since the copy is lost with what it was told of.
                world.answered.clear();
            }
        }
    }
}

impl Model for Scene {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let rows = self.bounds.jobs.iter().map(|(attempts, once)| Row::new(*attempts, *once));
        let jobs = self.bounds.jobs.len();
        vec![World {
            server: Server::new(rows.collect()),
            hands: vec![None; self.bounds.workers.into()],
            network: BTreeSet::new(),
            copy: None,
            restores: 0,
            serials: vec![0; jobs],
            highest: vec![0; jobs],
            begun: BTreeSet::new(),
            answered: BTreeSet::new(),
            broken: BTreeSet::new(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let has_room = world.network.len() < self.bounds.in_flight;
        for worker in 0..self.bounds.workers {
            if has_room && world.hands[usize::from(worker)].is_some() {
                let ends = self.bounds.reports.iter();
                actions.extend(ends.map(|report| Action::End { worker, report: *report }));
                actions.extend([Action::AskForTime { worker }, Action::Die { worker }]);
            }
        }
        for message in &world.network {
            actions.push(Action::Arrive(*message));
            actions.push(Action::ArriveTwice(*message));
            actions.push(Action::Lose(*message));
            if let Message::Granted(grant) = *message
                && !world.begun.contains(&(grant.job, grant.serial))
            {
                actions.push(Action::GiveBack(grant));
            }
        }
        for job in 0..self.bounds.jobs.len() {
            if has_room && world.serials[job] < self.bounds.leases {
                // The workers are alike: that the first one begins is no loss.
                let is_first = world.serials.iter().all(|serial| *serial == 0);
                let workers = if is_first { 1 } else { self.bounds.workers };
                actions.extend((0..workers).map(|worker| Action::Lease { worker, job }));
            }
            if world.server.rows()[job].life < self.bounds.retries {
                actions.push(Action::Retry { job });
            }
            actions.extend([Action::RunOut { job }, Action::Rescue { job }]);
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
        self.tally.count(action.kind());
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        self.promises.iter().map(|promise| promise.property()).collect()
    }
}
