use super::*;

type Variables<'a> = &'a [(&'a str, &'a str)];

fn read(variables: Variables<'_>) -> Config {
    Config::read("shop", |name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn without_a_variable_nothing_is_sent_and_the_program_names_the_service() {
    let config = read(&[]);
    assert!(config.traces.is_none() && config.metrics.is_none() && config.problems.is_empty());
    assert!(!config.records());
    assert!(config.resource.contains(&("service.name".into(), "shop".into())), "{:?}", config.resource);
}

#[test]
fn one_variable_turns_both_signals_on() {
    let config = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/x/")]);
    let (traces, metrics) = (config.traces.clone().unwrap(), config.metrics.clone().unwrap());
    assert_eq!(traces.endpoint, "http://c:4318/x/v1/traces");
    assert_eq!(metrics.endpoint, "http://c:4318/x/v1/metrics");
    assert_eq!((traces.protocol, traces.timeout), (Protocol::HttpProtobuf, Duration::from_secs(10)));
    assert!(config.records());
}

#[test]
fn the_variable_of_a_signal_goes_before_that_of_both() {
    let config = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20a,x=1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:4318/own"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x=2"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "500"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
    ]);
    let (traces, metrics) = (config.traces.unwrap(), config.metrics.unwrap());
    assert_eq!((traces.endpoint.as_str(), traces.protocol), ("http://t:4318/own", Protocol::HttpProtobuf));
    assert_eq!((metrics.endpoint.as_str(), metrics.protocol), ("http://c:4318", Protocol::Grpc));
    assert_eq!((traces.timeout.as_millis(), metrics.timeout.as_millis()), (500, 2000));
    assert_eq!((traces.compression, metrics.compression), (Compression::None, Compression::Gzip));
    for (otlp, x) in [(&traces, "2"), (&metrics, "1")] {
        assert_eq!(otlp.headers["authorization"], "Bearer a");
        assert_eq!(otlp.headers["x"], x);
    }
    assert!(config.problems.is_empty(), "{:?}", config.problems);
}

#[test]
fn grpc_without_a_scheme_is_secure_unless_said_otherwise() {
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let at = ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317");
    assert_eq!(read(&[grpc, at]).traces.unwrap().endpoint, "https://c:4317");
    let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
    assert_eq!(read(&[grpc, at, insecure]).traces.unwrap().endpoint, "http://c:4317");
    let of_traces = ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "false");
    let config = read(&[grpc, at, insecure, of_traces]);
    assert_eq!(config.traces.unwrap().endpoint, "https://c:4317");
    assert_eq!(config.metrics.unwrap().endpoint, "http://c:4317");
}

#[test]
fn a_message_of_series_takes_no_longer_than_its_own_variable_says() {
    let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
    let long = ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000");
    let of_series = ("OTEL_METRIC_EXPORT_TIMEOUT", "1500");
    for (name, variables, metrics, traces) in [
        ("neither", &[on][..], 10_000, 10_000),
        ("the default of the specification", &[on, long], 30_000, 60_000),
        ("its own", &[on, long, of_series], 1_500, 60_000),
    ] {
        let config = read(variables);
        let took = |otlp: Option<Otlp>| otlp.unwrap().timeout.as_millis();
        assert_eq!((took(config.metrics), took(config.traces)), (metrics, traces), "{name}");
    }
}

#[test]
fn signals_are_turned_off_one_by_one_and_all_at_once() {
    let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
    for (name, variable, traces, metrics) in [
        ("nothing", ("X", "y"), true, true),
        ("all", ("OTEL_SDK_DISABLED", "TRUE"), false, false),
        ("traces", ("OTEL_TRACES_EXPORTER", "none"), false, true),
        ("metrics", ("OTEL_METRICS_EXPORTER", "none"), true, false),
        ("metrics are scraped", ("OTEL_METRICS_EXPORTER", "prometheus"), true, false),
        ("both ways", ("OTEL_METRICS_EXPORTER", "otlp,prometheus"), true, true),
    ] {
        let config = read(&[on, variable]);
        assert_eq!((config.traces.is_some(), config.metrics.is_some()), (traces, metrics), "{name}");
    }
}

#[test]
fn what_is_wrong_is_told_and_left_out() {
    let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
    for (variable, value, told) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector", "is no address such as"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "`http/json` is none of `http/protobuf`, `grpc`"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "br", "`br` is none of `none`, `gzip`"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "`10s` is no such number"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret", "not of the form"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem", "that the machine trusts"),
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "ca.pem", "that the machine trusts"),
        ("OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "key.pem", "certificates of clients"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta", "sent as `cumulative`"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "base2_exponential_bucket_histogram",
            "sent as `explicit_bucket_histogram`",
        ),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "1s", "`1s` is no such number"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a,b", "not of the form"),
        ("OTEL_SDK_DISABLED", "1", "neither `true` nor `false`"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "`zipkin` is not known here"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "`jaeger_remote`"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "`many` is no such number"),
        ("OTEL_PROPAGATORS", "b3", "`b3` is neither"),
    ] {
        let config = read(&[(variable, value), on]);
        let problems: Vec<String> = config.problems.iter().map(ToString::to_string).collect();
        assert!(
            problems.iter().any(|text| text.starts_with(&format!("{variable}: ")) && text.contains(told)),
            "{variable}: {problems:?}"
        );
        assert!(problems.iter().all(|text| !text.contains("secret")), "{problems:?}");
    }
    let config = read(&[on, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "two")]);
    assert!(config.problems[0].to_string().starts_with("OTEL_TRACES_SAMPLER_ARG: "), "{:?}", config.problems);
    assert_eq!(config.sampler, Sampler::named("traceidratio", None).unwrap());
    let config = read(&[on, ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Cumulative")]);
    assert!(config.problems.is_empty(), "{:?}", config.problems);
}

#[test]
fn the_resource_is_of_the_variables_and_the_name_of_the_service_goes_first() {
    let config = read(&[
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,deployment.environment.name=test%2C1"),
        ("OTEL_SERVICE_NAME", "b"),
    ]);
    let get =
        |name: &str| config.resource.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(get("service.name"), Some("b"));
    assert_eq!(get("deployment.environment.name"), Some("test,1"));
    assert_eq!(get("telemetry.sdk.name"), Some("tropos"));
}

#[test]
fn of_an_attribute_that_is_listed_twice_the_last_counts() {
    let config = read(&[("OTEL_RESOURCE_ATTRIBUTES", "a=1,b=2,a=3")]);
    let of_a: Vec<&str> =
        config.resource.iter().filter(|(name, _)| name == "a").map(|(_, value)| value.as_str()).collect();
    assert_eq!(of_a, ["3"]);
}

#[test]
fn an_instance_has_a_name_and_a_version_unless_they_are_listed() {
    let listed = ("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=pod-7,service.version=9");
    for (name, variables, release, instance, version) in [
        ("a release", &[][..], Some("shop@1.4.0"), "i", Some("1.4.0")),
        ("a package with a scope", &[], Some("@shop/web@1.4.0"), "i", Some("1.4.0")),
        ("a commit", &[], Some("4b4591d"), "i", Some("4b4591d")),
        ("nothing known", &[], None, "i", None),
        ("nothing behind the name", &[], Some("shop@"), "i", None),
        ("both listed", &[listed], Some("shop@1.4.0"), "pod-7", Some("9")),
    ] {
        let mut config = read(variables);
        config.identify("i", release);
        let get = |name: &str| {
            let mut of = config.resource.iter().filter(|(known, _)| known == name);
            let value = of.next().map(|(_, value)| value.as_str());
            assert!(of.next().is_none(), "{name}");
            value
        };
        assert_eq!((get("service.instance.id"), get("service.version")), (Some(instance), version), "{name}");
    }
}

#[test]
fn names_of_instances_differ_and_are_random_uuids() {
    let (one, other) = (crate::config::instance_id(), crate::config::instance_id());
    assert_ne!(one, other);
    let lengths: Vec<usize> = one.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12], "{one}");
    assert_eq!((one.as_bytes()[14], b"89ab".contains(&one.as_bytes()[19])), (b'4', true), "{one}");
}

#[test]
fn counts_have_bounds_whatever_is_written() {
    let config = read(&[
        ("OTEL_BSP_MAX_QUEUE_SIZE", "99999999"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "99999999"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "99999999"),
    ]);
    assert_eq!((config.batch.queue, config.batch.size), (1 << 16, 1));
    assert_eq!((config.limits.attributes, config.limits.text), (1_000, 64 << 10));
}

#[test]
fn neither_tokens_nor_passwords_are_shown() {
    let config = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:hunter2@c:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hunter3"),
    ]);
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("hunter") && shown.contains("http://c:4318") && shown.contains("authorization"),
        "{shown}"
    );
}
