//! Calls of modules with values as messages, and results as a stream: by a bare tonic client, of a component that
//! the service builds and loads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use support::Private;
use tokio_stream::StreamExt;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use vitte_proto::v1;
use vitte_proto::v1::build_service_client::BuildServiceClient;
use vitte_proto::v1::call_stream_response::Event;
use vitte_proto::v1::module_service_client::ModuleServiceClient;
use vitte_proto::v1::value::Kind;

const SOURCE: &str = r#"
space shapes

export *

form Point { x: i32, y: f64 }
form Shape { name: string, corners: [Point], open: bool, mark: Option<char> }
pick Thing { Nothing, Number(value: i64), At(point: Point) }

proc same_shape(v: Shape) -> Shape { give v }
proc same_thing(v: Thing) -> Thing { give v }
proc same_small(v: i8) -> i8 { give v }
proc same_text(v: string) -> string { give v }
proc nothing() {}

proc upto(count: i32) -> [i32] {
  let mut all: [i32] = []
  for n in 0..count { all.push(n) }
  give all
}

proc forever() -> [i32] {
  while true {}
  give []
}
"#;

/// A service with the module `shapes`.
async fn start() -> (Private, ModuleServiceClient<Channel>) {
    let (service, channel) = Private::start().await;
    let entry = service.home.path().join("shapes.vit");
    std::fs::write(&entry, SOURCE).unwrap();
    let options = v1::BuildOptions {
        entry: entry.to_str().unwrap().to_owned(),
        cwd: service.home.path().to_str().unwrap().to_owned(),
        emit: "component".to_owned(),
        ..v1::BuildOptions::default()
    };
    let request = v1::BuildRequest { options: Some(options), ..v1::BuildRequest::default() };
    let mut events = BuildServiceClient::new(channel.clone()).build(request).await.unwrap().into_inner();
    let (mut path, mut said) = (String::new(), Vec::new());
    while let Some(event) = events.next().await {
        match event.unwrap().event.unwrap().kind {
            Some(v1::event::Kind::BuildFinished(finished)) => path = finished.executable,
            other => said.push(format!("{other:?}")),
        }
    }
    assert!(!path.is_empty(), "{said:#?}");
    let mut modules = ModuleServiceClient::new(channel);
    let load = v1::LoadRequest { path, name: "shapes".to_owned(), ..v1::LoadRequest::default() };
    modules.load(load).await.unwrap();
    (service, modules)
}

fn value(kind: Kind) -> v1::Value {
    v1::Value { kind: Some(kind) }
}

fn record(fields: Vec<(&str, Kind)>) -> Kind {
    let field =
        |(name, kind): (&str, Kind)| v1::FieldValue { name: name.to_owned(), value: Some(value(kind)) };
    Kind::Record(v1::RecordValue { fields: fields.into_iter().map(field).collect() })
}

fn point(x: i32, y: f64) -> Kind {
    record(vec![("x", Kind::S32(x)), ("y", Kind::F64(y))])
}

fn call(function: &str, arguments: Vec<Kind>) -> v1::CallRequest {
    let values = v1::Values { values: arguments.into_iter().map(value).collect() };
    v1::CallRequest {
        module: "shapes".to_owned(),
        function: function.to_owned(),
        arguments: Some(v1::call_request::Arguments::Values(values)),
        ..v1::CallRequest::default()
    }
}

fn stream(function: &str, arguments: Vec<Kind>) -> v1::CallStreamRequest {
    v1::CallStreamRequest {
        module: "shapes".to_owned(),
        function: function.to_owned(),
        arguments: Some(v1::Values { values: arguments.into_iter().map(value).collect() }),
        ..v1::CallStreamRequest::default()
    }
}

async fn results(
    modules: &mut ModuleServiceClient<Channel>,
    request: v1::CallRequest,
) -> Result<Vec<Kind>, Status> {
    let reply = modules.call(request).await?.into_inner();
    assert_eq!((reply.module.as_str(), reply.generation, reply.tier.as_str()), ("shapes", 1, "compiled"));
    let Some(v1::call_response::Results::Values(values)) = reply.results else {
        panic!("answered in another form")
    };
    Ok(values.values.into_iter().map(|value| value.kind.unwrap()).collect())
}

#[tokio::test]
async fn values_cross_as_messages() {
    let (service, mut modules) = start().await;
    let some =
        Kind::Option(Box::new(v1::OptionValue { value: Some(Box::new(value(Kind::CharValue(0xe9)))) }));
    let corners = Kind::List(v1::ListValue { values: vec![value(point(1, -0.5)), value(point(-2, 1e300))] });
    let name = || Kind::StringValue("triangle".to_owned());
    let shape = record(vec![
        ("name", name()),
        ("corners", corners.clone()),
        ("open", Kind::BoolValue(true)),
        ("mark", some),
    ]);
    let same = results(&mut modules, call("same-shape", vec![shape.clone()])).await.unwrap();
    assert_eq!(same, [shape]);
    // In another order, and without the field that is optional.
    let less = record(vec![("open", Kind::BoolValue(false)), ("corners", corners), ("name", name())]);
    let same = results(&mut modules, call("same-shape", vec![less])).await.unwrap();
    let Some(Kind::Record(fields)) = same.first() else { panic!("{same:?}") };
    let names: Vec<&str> = fields.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["name", "corners", "open", "mark"]);
    let thing = Kind::Variant(Box::new(v1::VariantValue {
        name: "at".to_owned(),
        value: Some(Box::new(value(point(3, 4.0)))),
    }));
    let same = results(&mut modules, call("same-thing", vec![thing.clone()])).await.unwrap();
    assert_eq!(same, [thing]);
    assert!(results(&mut modules, call("nothing", vec![])).await.unwrap().is_empty());
    let numbers = results(&mut modules, call("upto", vec![Kind::S32(3)])).await.unwrap();
    let list = Kind::List(v1::ListValue { values: (0..3).map(|n| value(Kind::S32(n))).collect() });
    assert_eq!(numbers, [list]);

    for (request, words) in [
        (call("same-small", vec![Kind::S8(128)]), "argument 1, 128 is out of the range of s8"),
        (call("same-small", vec![Kind::S16(1)]), "argument 1, a s16 was given where s8 is wanted"),
        (call("same-small", vec![]), "0 were given where 1 value is wanted"),
        (call("same-text", vec![Kind::BytesValue(vec![1].into())]), "a list<u8> was given where string"),
    ] {
        let refused = results(&mut modules, request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert_eq!(refused.get_details_error_info().unwrap().reason, "MODULE_ARGUMENTS");
        assert!(refused.message().contains(words), "{refused}");
    }
    drop(modules);
    service.must_end().await;
}

/// What came, and how it ended.
async fn received(
    modules: &mut ModuleServiceClient<Channel>,
    request: v1::CallStreamRequest,
) -> Result<(v1::CallStarted, Vec<Kind>, v1::CallEnded), Status> {
    let mut stream = modules.call_stream(request).await?.into_inner();
    let Some(Event::Started(started)) = stream.next().await.unwrap()?.event else { panic!("no beginning") };
    let mut items = Vec::new();
    loop {
        match stream.next().await.expect("no end")?.event {
            Some(Event::Item(item)) => items.push(item.kind.unwrap()),
            Some(Event::Ended(ended)) => {
                assert!(stream.next().await.is_none());
                return Ok((started, items, ended));
            }
            Some(Event::Started(_)) | None => panic!("a second beginning"),
        }
    }
}

#[tokio::test]
async fn results_come_as_a_stream() {
    let (service, mut modules) = start().await;
    let (started, items, ended) =
        received(&mut modules, stream("upto", vec![Kind::S32(5000)])).await.unwrap();
    assert_eq!(
        (started.module.as_str(), started.generation, started.tier.as_str()),
        ("shapes", 1, "compiled")
    );
    assert_eq!((items.len(), ended.items), (5000, 5000));
    assert!(items.iter().zip(0..).all(|(item, n)| *item == Kind::S32(n)));
    let (_, items, ended) = received(&mut modules, stream("upto", vec![Kind::S32(0)])).await.unwrap();
    assert_eq!((items.len(), ended.items), (0, 0));
    // Longer than a message may be.
    let text = "€".repeat(1 << 20);
    let (_, items, ended) =
        received(&mut modules, stream("same-text", vec![Kind::StringValue(text.clone())])).await.unwrap();
    assert_eq!(items.len() as u64, ended.items);
    let came: String = items
        .iter()
        .map(|item| match item {
            Kind::StringValue(piece) => piece.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(items.len() > 40 && came == text);
    let thing = Kind::Variant(Box::new(v1::VariantValue { name: "nothing".to_owned(), value: None }));
    let (_, items, _) = received(&mut modules, stream("same-thing", vec![thing.clone()])).await.unwrap();
    assert_eq!(items, [thing]);

    let unknown = received(&mut modules, stream("no-such", vec![])).await.unwrap_err();
    assert_eq!(unknown.get_details_error_info().unwrap().reason, "MODULE_NO_FUNCTION");
    let mut late = stream("forever", vec![]);
    late.time_max = Some(prost_types::Duration { seconds: 0, nanos: 50_000_000 });
    let late = received(&mut modules, late).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    // The deadline of a client is as good, and is for the whole of the stream: nobody reads this one.
    let mut request = Request::new(stream("upto", vec![Kind::S32(2_000_000)]));
    request.set_timeout(Duration::from_secs(60));
    request.get_mut().time_max = Some(prost_types::Duration { seconds: 5, nanos: 0 });
    let mut unread = modules.call_stream(request).await.unwrap().into_inner();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut last = None;
    while let Some(next) = unread.next().await {
        last = Some(next);
    }
    let late = last.unwrap().unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    drop((modules, unread));
    service.must_end().await;
}
