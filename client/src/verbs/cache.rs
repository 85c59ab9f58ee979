//! `cache stats|verify|repair|gc|clean`.
use serde_json::{Value, json};
use tonic::Streaming;
use tonic::transport::Channel;
use vitte_proto::v1;
use vitte_proto::v1::cache_service_client::CacheServiceClient;
use vitte_proto::v1::{collect_response, empty_response, repair_response, verify_response};

use super::channel;
use crate::cli::{CacheVerb, Common};
use crate::failure::{Exit, Failure};
use crate::render::style::Theme;
use crate::report::{Progress, print_line};

/// Does what `verb` asks.
///
/// # Errors
/// When the service cannot be asked, or the store cannot be used.
pub async fn run(common: &Common, verb: CacheVerb) -> Result<u8, Failure> {
    let mut client = CacheServiceClient::new(channel(common).await?);
    let request_id = String::new();
    match verb {
        CacheVerb::Stats => stats(common, &mut client).await,
        CacheVerb::Verify => {
            let stream = client.verify(v1::VerifyRequest {}).await?.into_inner();
            let report =
                follow(common, "checking", stream, |message| message.kind.map(step_of_verify)).await?;
            print_check(common, &report)?;
            Ok(if report.sound { Exit::Ok } else { Exit::ProgramErrors } as u8)
        }
        CacheVerb::Repair => {
            let stream = client.repair(v1::RepairRequest { request_id }).await?.into_inner();
            let report =
                follow(common, "checking", stream, |message| message.kind.map(step_of_repair)).await?;
            print_repair(common, report)
        }
        CacheVerb::Gc { size, max_age } => {
            let max_age = max_age.map(prost_types::Duration::try_from).transpose().map_err(|_| {
                Failure::new(Exit::Usage, "the age is too long").help("give at most some thousand years")
            })?;
            let request = v1::CollectRequest { request_id, budget_bytes: size, max_age };
            let stream = client.collect(request).await?.into_inner();
            let report =
                follow(common, "removing", stream, |message| message.kind.map(step_of_collect)).await?;
            print_collection(common, &report)
        }
        CacheVerb::Clean => {
            let stream = client.empty(v1::EmptyRequest { request_id }).await?.into_inner();
            let report =
                follow(common, "removing", stream, |message| message.kind.map(step_of_empty)).await?;
            print_collection(common, &report)
        }
    }
}

/// What a message of a stream says.
enum Step<R> {
    Progress(v1::CacheProgress),
    Report(R),
}

fn step_of_verify(kind: verify_response::Kind) -> Step<v1::CacheCheck> {
    match kind {
        verify_response::Kind::Progress(progress) => Step::Progress(progress),
        verify_response::Kind::Report(report) => Step::Report(report),
    }
}

fn step_of_repair(kind: repair_response::Kind) -> Step<v1::CacheRepair> {
    match kind {
        repair_response::Kind::Progress(progress) => Step::Progress(progress),
        repair_response::Kind::Report(report) => Step::Report(report),
    }
}

fn step_of_collect(kind: collect_response::Kind) -> Step<v1::CacheCollection> {
    match kind {
        collect_response::Kind::Progress(progress) => Step::Progress(progress),
        collect_response::Kind::Report(report) => Step::Report(report),
    }
}

fn step_of_empty(kind: empty_response::Kind) -> Step<v1::CacheCollection> {
    match kind {
        empty_response::Kind::Progress(progress) => Step::Progress(progress),
        empty_response::Kind::Report(report) => Step::Report(report),
    }
}

/// Shows progress until the report comes.
async fn follow<M, R>(
    common: &Common,
    doing: &str,
    mut stream: Streaming<M>,
    step: impl Fn(M) -> Option<Step<R>>,
) -> Result<R, Failure> {
    let theme = Theme::of_stderr(common.color);
    let mut progress = Progress::new();
    let ended = loop {
        match stream.message().await {
            Ok(Some(message)) => match step(message) {
                Some(Step::Progress(v1::CacheProgress { done, total })) => {
                    if common.json {
                        print_line(&json!({"event": "progress", "done": done, "total": total}).to_string())?;
                    }
                    progress.set(format!("{doing}: {done} of {total}"));
                    progress.draw(&theme);
                }
                Some(Step::Report(report)) => break Ok(report),
                // A service that says more than this client knows.
                None => {}
            },
            Ok(None) => break Err(Failure::new(Exit::Unavailable, "the service ended without a report")),
            Err(status) => break Err(Failure::from(status)),
        }
    };
    progress.clear();
    ended
}

async fn stats(common: &Common, client: &mut CacheServiceClient<Channel>) -> Result<u8, Failure> {
    let stats = client.stats(v1::StatsRequest {}).await?.into_inner();
    let v1::StatsResponse {
        folder,
        access,
        index,
        kinds,
        budget_bytes,
        max_age,
        pins,
        leases,
        rates,
        stored,
        already_there,
        dropped,
        collected,
    } = stats;
    let total: u64 = kinds.iter().map(|kind| kind.bytes).sum();
    if common.json {
        let kinds: serde_json::Map<String, Value> = kinds
            .into_iter()
            .map(|kind| (kind.name, json!({"entries": kind.entries, "bytes": kind.bytes})))
            .collect();
        let rates: serde_json::Map<String, Value> = rates
            .into_iter()
            .map(|rate| {
                let misses = rate.misses.into_iter().map(|miss| (miss.reason, Value::from(miss.count)));
                let misses: serde_json::Map<String, Value> = misses.collect();
                (rate.name, json!({"hits": rate.hits, "misses": misses}))
            })
            .collect();
        let line = json!({
            "folder": folder,
            "access": access,
            "index": index,
            "kinds": kinds,
            "bytes": total,
            "budget_bytes": budget_bytes,
            "max_age_seconds": max_age.map(|age| age.seconds),
            "pins": pins,
            "leases": leases,
            "rates": rates,
            "stored": stored,
            "already_there": already_there,
            "dropped": dropped,
            "collected": collected,
        });
        return print_line(&line.to_string()).map(|()| 0);
    }
    print_line(&format!("folder   {folder} ({access}, index {index})"))?;
    for kind in &kinds {
        print_line(&format!("{:<8} {:>10}  {} entries", kind.name, size(kind.bytes), kind.entries))?;
    }
    let share = total as f64 / budget_bytes.max(1) as f64 * 100.0;
    print_line(&format!("{:<8} {:>10}  {share:.0} % of {}", "all", size(total), size(budget_bytes)))?;
    if let Some(age) = max_age {
        print_line(&format!("max age  {} h", age.seconds / 3600))?;
    }
    if pins + leases > 0 {
        print_line(&format!("held     {pins} pins, {leases} leases"))?;
    }
    for rate in &rates {
        print_line(&describe_rate(rate))?;
        for miss in rate.misses.iter().filter(|miss| miss.count > 0) {
            print_line(&format!("         {:>10}  missed: {}", miss.count, miss.reason))?;
        }
    }
    print_line(&format!(
        "stored   {stored} new, {already_there} there already, {dropped} not stored, {collected} collected"
    ))?;
    Ok(0)
}

fn describe_rate(rate: &v1::CacheRate) -> String {
    let asked = rate.hits + rate.misses.iter().map(|miss| miss.count).sum::<u64>();
    match asked {
        0 => format!("{:<8} never asked for", rate.name),
        asked => {
            let share = rate.hits as f64 / asked as f64 * 100.0;
            format!("{:<8} {:>10}  hits of {asked} ({share:.1} %)", rate.name, rate.hits)
        }
    }
}

/// A number of bytes for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut amount = bytes as f64;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{amount:.1} {unit}") }
}

fn check_json(check: &v1::CacheCheck) -> Value {
    let v1::CacheCheck { checked, bytes, damaged, unreadable, incomplete, newer, strangers, sound } = check;
    json!({
        "event": "report",
        "checked": checked,
        "bytes": bytes,
        "damaged": damaged,
        "unreadable": unreadable,
        "incomplete": incomplete,
        "newer": newer,
        "strangers": strangers,
        "sound": sound,
    })
}

fn print_check(common: &Common, check: &v1::CacheCheck) -> Result<(), Failure> {
    if common.json {
        return print_line(&check_json(check).to_string());
    }
    let v1::CacheCheck { checked, bytes, damaged, unreadable, incomplete, newer, strangers, sound } = check;
    for entry in damaged {
        print_line(&format!("damaged     {entry}"))?;
    }
    for entry in unreadable {
        print_line(&format!("unreadable  {entry}"))?;
    }
    for file in strangers {
        print_line(&format!("no entry    {file}"))?;
    }
    let verdict = if *sound { "sound" } else { "damaged; `vitte cache repair` removes what is" };
    let mut line = format!("{checked} entries, {} read: {verdict}", size(*bytes));
    for (count, what) in [(*incomplete, "results whose blobs were collected"), (*newer, "of a later version")]
    {
        if count > 0 {
            line.push_str(&format!("; {count} {what}"));
        }
    }
    print_line(&line)
}

fn print_repair(common: &Common, repair: v1::CacheRepair) -> Result<u8, Failure> {
    let v1::CacheRepair { check, removed, indexed } = repair;
    let check = check.unwrap_or_default();
    if common.json {
        let mut line = check_json(&check);
        line["removed"] = removed.into();
        line["indexed"] = indexed.into();
        return print_line(&line.to_string()).map(|()| 0);
    }
    for entry in &check.unreadable {
        print_line(&format!("unreadable  {entry}"))?;
    }
    let index = match indexed {
        Some(entries) => format!("the index was made again with {entries}"),
        None => "the index belongs to another process".to_owned(),
    };
    print_line(&format!("{} entries checked, {removed} removed; {index}", check.checked)).map(|()| 0)
}

fn print_collection(common: &Common, report: &v1::CacheCollection) -> Result<u8, Failure> {
    let v1::CacheCollection { entries_before, bytes_before, removed, removed_bytes, held, in_use, failed } =
        report;
    let left = bytes_before.saturating_sub(*removed_bytes);
    if common.json {
        let line = json!({
            "event": "report",
            "entries_before": entries_before,
            "bytes_before": bytes_before,
            "removed": removed,
            "removed_bytes": removed_bytes,
            "held": held,
            "in_use": in_use,
            "failed": failed,
        });
        return print_line(&line.to_string()).map(|()| 0);
    }
    let mut line = format!(
        "removed {removed} of {entries_before} entries, {}; {} left",
        size(*removed_bytes),
        size(left)
    );
    let kept = [(held, "pinned or leased"), (in_use, "used just now"), (failed, "could not be removed")];
    for (count, why) in kept.into_iter().filter(|(count, _)| **count > 0) {
        line.push_str(&format!("; {count} {why}"));
    }
    print_line(&line).map(|()| 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(4096), "4.0 KiB");
        assert_eq!(size(10 << 30), "10.0 GiB");
        assert_eq!(size(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn a_rate_without_questions_is_no_number() {
        let rate = v1::CacheRate { name: "blobs".into(), ..v1::CacheRate::default() };
        assert_eq!(describe_rate(&rate), "blobs    never asked for");
        let misses = vec![v1::CacheMisses { reason: "absent".into(), count: 1 }];
        let rate = v1::CacheRate { hits: 3, misses, ..rate };
        assert_eq!(describe_rate(&rate), "blobs             3  hits of 4 (75.0 %)");
    }
}
