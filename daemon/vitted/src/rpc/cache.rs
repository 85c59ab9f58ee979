//! `CacheService`.
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::info;
use vitte_proto::v1;
use vitte_proto::v1::cache_service_server::CacheService;
use vitte_store::{
    Access, CheckReport, CollectOptions, CollectReport, Digest, IndexState, KindStats, MissReason, Progress,
    Rate, RepairReport, Stats, Store, StoreError,
};

use super::page::page;
use super::stream::ResponseStream;
use crate::operation::duration;
use crate::service::Service;
use crate::status::Refusal;

/// Progress is told at most this often.
const PROGRESS_PERIOD: Duration = Duration::from_millis(100);
/// Messages that a slow client may leave waiting.
const MESSAGES_MAX: usize = 16;

/// The implementation over [`Service`].
#[derive(Clone)]
pub struct CacheApi(pub Arc<Service>);

type Watch<'w> = dyn FnMut(Progress) -> ControlFlow<()> + 'w;

#[tonic::async_trait]
impl CacheService for CacheApi {
    type VerifyStream = ResponseStream<v1::VerifyResponse>;
    type RepairStream = ResponseStream<v1::RepairResponse>;
    type CollectStream = ResponseStream<v1::CollectResponse>;
    type EmptyStream = ResponseStream<v1::EmptyResponse>;

    async fn stats(&self, _: Request<v1::StatsRequest>) -> Result<Response<v1::StatsResponse>, Status> {
        let store = self.0.store.clone();
        let stats = self.0.ask(move |_| store.stats()).await?;
        let max_age = self.0.config.cache_age_max;
        Ok(Response::new(v1::StatsResponse { max_age: max_age.map(duration), ..describe(stats) }))
    }

    async fn verify(&self, _: Request<v1::VerifyRequest>) -> Result<Response<Self::VerifyStream>, Status> {
        use v1::verify_response::Kind;
        Ok(self.job(
            |store, watch| store.verify(watch),
            |told| v1::VerifyResponse {
                kind: Some(match told {
                    Told::Progress(progress) => Kind::Progress(progress),
                    Told::Report(report) => Kind::Report(check(report)),
                }),
            },
        ))
    }

    async fn repair(
        &self,
        request: Request<v1::RepairRequest>,
    ) -> Result<Response<Self::RepairStream>, Status> {
        use v1::repair_response::Kind;
        info!(request_id = request.into_inner().request_id, "asked to repair the store");
        Ok(self.job(
            |store, watch| store.repair(watch),
            |told| v1::RepairResponse {
                kind: Some(match told {
                    Told::Progress(progress) => Kind::Progress(progress),
                    Told::Report(RepairReport { check: found, removed, indexed }) => {
                        Kind::Report(v1::CacheRepair { check: Some(check(found)), removed, indexed })
                    }
                }),
            },
        ))
    }

    async fn collect(
        &self,
        request: Request<v1::CollectRequest>,
    ) -> Result<Response<Self::CollectStream>, Status> {
        use v1::collect_response::Kind;
        let v1::CollectRequest { request_id, budget_bytes, max_age } = request.into_inner();
        let max_age = max_age
            .map(Duration::try_from)
            .transpose()
            .map_err(|_| Refusal::bad_field("max_age", "must not be negative"))?;
        info!(request_id, "asked to collect the store");
        let options = CollectOptions { budget_bytes, max_age, grace: None };
        Ok(self.job(
            move |store, watch| store.collect(&options, watch),
            |told| v1::CollectResponse {
                kind: Some(match told {
                    Told::Progress(progress) => Kind::Progress(progress),
                    Told::Report(report) => Kind::Report(collection(report)),
                }),
            },
        ))
    }

    async fn empty(&self, request: Request<v1::EmptyRequest>) -> Result<Response<Self::EmptyStream>, Status> {
        use v1::empty_response::Kind;
        info!(request_id = request.into_inner().request_id, "asked to empty the store");
        Ok(self.job(
            |store, watch| store.clean(watch),
            |told| v1::EmptyResponse {
                kind: Some(match told {
                    Told::Progress(progress) => Kind::Progress(progress),
                    Told::Report(report) => Kind::Report(collection(report)),
                }),
            },
        ))
    }

    async fn pin(&self, request: Request<v1::PinRequest>) -> Result<Response<v1::PinResponse>, Status> {
        let v1::PinRequest { request_id: _, name, digests } = request.into_inner();
        let digests: Vec<Digest> = digests
            .iter()
            .map(|digest| digest.parse())
            .collect::<Result<_, vitte_store::ParseDigestError>>()
            .map_err(|error| Refusal::bad_field("digests", &error.to_string()))?;
        let store = self.0.store.clone();
        self.0.ask(move |_| store.pin(&name, &digests)).await?.map_err(Refusal::from)?;
        Ok(Response::new(v1::PinResponse {}))
    }

    async fn unpin(&self, request: Request<v1::UnpinRequest>) -> Result<Response<v1::UnpinResponse>, Status> {
        let v1::UnpinRequest { request_id: _, name } = request.into_inner();
        let store = self.0.store.clone();
        self.0.ask(move |_| store.unpin(&name)).await?.map_err(Refusal::from)?;
        Ok(Response::new(v1::UnpinResponse {}))
    }

    async fn list_pins(
        &self,
        request: Request<v1::ListPinsRequest>,
    ) -> Result<Response<v1::ListPinsResponse>, Status> {
        let v1::ListPinsRequest { page_size, page_token } = request.into_inner();
        let store = self.0.store.clone();
        let all = self.0.ask(move |_| store.pins()).await?.map_err(Refusal::from)?;
        let (pins, next_page_token) = page(all, page_size, &page_token, |pin| pin.name.clone())?;
        let pins = pins.into_iter().map(|pin| v1::CachePin {
            blobs: pin.digests.len() as u64,
            bytes: pin.digests.iter().map(Digest::size).sum(),
            name: pin.name,
        });
        Ok(Response::new(v1::ListPinsResponse { pins: pins.collect(), next_page_token }))
    }
}

/// What a stream says.
enum Told<R> {
    Progress(v1::CacheProgress),
    Report(R),
}

impl CacheApi {
    /// Runs `work` on a thread of the pool and streams what it tells; ends it when the client goes away or the
    /// service ends.
    fn job<R: Send + 'static, M: Send + 'static>(
        &self,
        work: impl FnOnce(&Store, &mut Watch<'_>) -> Result<R, StoreError> + Send + 'static,
        wrap: impl Fn(Told<R>) -> M + Send + 'static,
    ) -> Response<ResponseStream<M>> {
        let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
        let service = Arc::clone(&self.0);
        self.0.watch(async move {
            let (store, stopping) = (service.store.clone(), service.stopping.clone());
            let messages = sender.clone();
            let done = service.ask(move |_| {
                let mut said = Instant::now();
                let mut watch = |Progress { done, total }: Progress| {
                    if messages.is_closed() || stopping.is_cancelled() {
                        return ControlFlow::Break(());
                    }
                    if said.elapsed() >= PROGRESS_PERIOD {
                        said = Instant::now();
                        // A client that is slow to read misses a step.
                        let _ =
                            messages.try_send(Ok(wrap(Told::Progress(v1::CacheProgress { done, total }))));
                    }
                    ControlFlow::Continue(())
                };
                let report = work(&store, &mut watch);
                report.map(|report| wrap(Told::Report(report)))
            });
            let last = match done.await {
                Ok(Ok(report)) => Ok(report),
                Ok(Err(error)) => Err(Status::from(Refusal::from(error))),
                Err(refusal) => Err(Status::from(refusal)),
            };
            // A client that has gone needs no report.
            let _ = sender.send(last).await;
        });
        Response::new(Box::pin(ReceiverStream::new(receiver)))
    }
}

fn describe(stats: Stats) -> v1::StatsResponse {
    let Stats { folder, access, index, blobs, actions, budget_bytes, pins, leases, counts } = stats;
    let kind =
        |name: &str, KindStats { entries, bytes }| v1::CacheKind { name: name.to_owned(), entries, bytes };
    v1::StatsResponse {
        folder: folder.to_string_lossy().into_owned(),
        access: match access {
            Access::ReadWrite => "read-write",
            Access::ReadOnly => "read-only",
            Access::None => "none",
        }
        .to_owned(),
        index: match index {
            IndexState::Ready => "ready",
            IndexState::Starting => "starting",
            IndexState::NotHere => "elsewhere",
        }
        .to_owned(),
        kinds: vec![kind("blobs", blobs), kind("actions", actions)],
        budget_bytes,
        max_age: None,
        pins,
        leases,
        rates: vec![rate("blobs", &counts.blobs), rate("actions", &counts.actions)],
        stored: counts.stored,
        already_there: counts.already_there,
        dropped: counts.dropped,
        collected: counts.collected,
    }
}

fn rate(name: &str, rate: &Rate) -> v1::CacheRate {
    let misses = MissReason::ALL
        .map(|reason| v1::CacheMisses { reason: reason.name().to_owned(), count: rate.missed(reason) });
    v1::CacheRate { name: name.to_owned(), hits: rate.hits, misses: misses.into() }
}

fn check(report: CheckReport) -> v1::CacheCheck {
    let sound = report.is_sound();
    let CheckReport {
        checked,
        bytes,
        damaged,
        unreadable,
        incomplete,
        newer,
        strangers,
        unreadable_folders,
        ended: _,
    } = report;
    let entries = unreadable.into_iter().map(|(entry, error)| format!("{entry}: {error}"));
    v1::CacheCheck {
        checked,
        bytes,
        damaged: damaged.iter().map(ToString::to_string).collect(),
        unreadable: entries.chain(unreadable_folders).collect(),
        incomplete: incomplete.len() as u64,
        newer,
        strangers,
        sound,
    }
}

fn collection(report: CollectReport) -> v1::CacheCollection {
    let CollectReport {
        entries_before,
        bytes_before,
        removed,
        removed_bytes,
        held,
        in_use,
        failed,
        ended: _,
    } = report;
    v1::CacheCollection { entries_before, bytes_before, removed, removed_bytes, held, in_use, failed }
}
