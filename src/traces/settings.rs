//! What the environment says of an export of traces, in the variables of OpenTelemetry (pure; the
//! caller reads them). What is unusable comes back in words that hold no value: headers and addresses
//! are secrets.

use std::fmt::Write as _;
use std::time::Duration;

/// Where traces go, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The address of the collector's receiver of traces.
    pub endpoint: String,
    /// Further headers of the request, which may hold a token.
    pub headers: Vec<(String, String)>,
    /// How long an export may take.
    pub timeout: Duration,
    /// The attributes of whoever sends them, `service.name` among them.
    pub resource: Vec<(String, String)>,
    /// Variables that could not be used, by name, and what follows.
    pub odd: Vec<String>,
}

// The variables that are there for traces alone, which go first, and for all signals.
const PROTOCOL: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const TIMEOUT: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];
const HEADERS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_HEADERS",
];

/// How long an export may take where nobody says.
const USUAL: Duration = Duration::from_secs(10);

/// Reads the settings; `None` where nobody asks for an export, and why where it can't be done.
pub fn read(variable: impl Fn(&str) -> Option<String>) -> Option<Result<Settings, String>> {
    // An empty one counts as one that is not set.
    let get = |name: &str| {
        let value = variable(name)?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let either = |names: [&'static str; 2]| {
        let mut names = names.into_iter();
        names.find_map(|name| get(name).map(|value| (name, value)))
    };
    let is = |name: &str, word: &str| get(name).is_some_and(|it| it.eq_ignore_ascii_case(word));
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return None;
    }
    let endpoint = get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| {
        let base = get("OTEL_EXPORTER_OTLP_ENDPOINT")?;
        Some(format!("{}/v1/traces", base.trim_end_matches('/')))
    })?;
    if let Some((name, protocol)) = either(PROTOCOL)
        && protocol != "http/json"
    {
        return Some(Err(format!(
            "{name} asks for another protocol than `http/json`, the only one here"
        )));
    }
    let mut odd = Vec::new();
    let timeout = either(TIMEOUT).map(|(name, value)| match value.parse::<u64>() {
        Ok(millis) if (1..=600_000).contains(&millis) => Duration::from_millis(millis),
        _ => {
            odd.push(format!(
                "{name} is no number of milliseconds from 1 to 600000; 10 s it is"
            ));
            USUAL
        }
    });
    let mut listed = |name: &str, value: &str| {
        pairs(value).unwrap_or_else(|| {
            odd.push(format!(
                "{name} is no list of `key=value` with commas between; it is left out"
            ));
            Vec::new()
        })
    };
    let headers = either(HEADERS).map(|(name, value)| listed(name, &value));
    let resource =
        get("OTEL_RESOURCE_ATTRIBUTES").map(|value| listed("OTEL_RESOURCE_ATTRIBUTES", &value));
    Some(Ok(Settings {
        endpoint,
        headers: headers.unwrap_or_default(),
        timeout: timeout.unwrap_or(USUAL),
        resource: named(resource.unwrap_or_default(), get("OTEL_SERVICE_NAME")),
        odd,
    }))
}

/// The attributes with a name and a version; `OTEL_SERVICE_NAME` goes before the list.
fn named(mut resource: Vec<(String, String)>, name: Option<String>) -> Vec<(String, String)> {
    let has =
        |resource: &[(String, String)], wanted: &str| resource.iter().any(|(key, _)| key == wanted);
    if name.is_some() {
        resource.retain(|(key, _)| key != "service.name");
    }
    if !has(&resource, "service.name") {
        let name = name.unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned());
        resource.insert(0, ("service.name".to_owned(), name));
    }
    if !has(&resource, "service.version") {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        resource.push(("service.version".to_owned(), version));
    }
    resource
}

/// A list as W3C Baggage writes it: `key=value` with commas between, values with percent signs.
fn pairs(list: &str) -> Option<Vec<(String, String)>> {
    let entries = list.split(',').map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let (key, value) = entry.split_once('=')?;
            let (key, value) = (key.trim(), decoded(value.trim())?);
            let is_plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
            let is_line = !value.chars().any(char::is_control);
            (is_plain && is_line).then(|| (key.to_owned(), value))
        })
        .collect()
}

/// A text with percent signs decoded (RFC 3986, section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digits = String::new();
            for digit in [rest.next()?, rest.next()?] {
                write!(digits, "{}", char::from(digit)).ok()?;
            }
            bytes.push(u8::from_str_radix(&digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Option<Result<Settings, String>> {
        read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn usable(variables: &[(&str, &str)]) -> Settings {
        settings(variables)
            .unwrap()
            .unwrap_or_else(|why| panic!("{why}"))
    }

    const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/");

    #[test]
    fn nothing_is_exported_unless_somebody_names_a_place_and_nobody_forbids_it() {
        assert!(settings(&[]).is_none());
        assert!(settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).is_none());
        assert!(settings(&[BASE, ("OTEL_SDK_DISABLED", "TRUE")]).is_none());
        assert!(settings(&[BASE, ("OTEL_TRACES_EXPORTER", "none")]).is_none());
        assert!(settings(&[BASE, ("OTEL_SDK_DISABLED", "false")]).is_some());
    }

    #[test]
    fn the_variables_of_traces_go_before_the_general_ones() {
        assert_eq!(usable(&[BASE]).endpoint, "http://c:4318/v1/traces");
        let all = usable(&[
            BASE,
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t/x"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
                "Authorization=Bearer%20x%3D, tenant = me ,",
            ),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ]);
        // As it stands: nothing is put behind it.
        assert_eq!(all.endpoint, "https://t/x");
        let headers: Vec<(&str, &str)> = all
            .headers
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(headers, [("Authorization", "Bearer x="), ("tenant", "me")]);
        assert_eq!(all.timeout, Duration::from_millis(2500));
        assert_eq!(all.odd, Vec::<String>::new());
    }

    #[test]
    fn who_sends_it_is_said_by_the_name_or_the_list_or_is_this_program() {
        let names = |variables: &[(&str, &str)]| {
            let resource = usable(variables).resource;
            let of = |key: &str| resource.iter().filter(|(known, _)| known == key).count();
            assert_eq!((of("service.name"), of("service.version")), (1, 1));
            let name = resource.into_iter().find(|(key, _)| key == "service.name");
            name.map(|(_, value)| value).unwrap()
        };
        let list = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=listed,team=x");
        assert_eq!(names(&[BASE]), "policy-orchestrator");
        assert_eq!(names(&[BASE, list]), "listed");
        assert_eq!(names(&[BASE, list, ("OTEL_SERVICE_NAME", "said")]), "said");
    }

    #[test]
    fn what_can_t_be_used_is_told_without_its_value() {
        let grpc = settings(&[BASE, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
        assert!(grpc.unwrap().is_err());
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "secret"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=secret%0Ax"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=secret%f"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "=secret"),
        ] {
            let told = usable(&[BASE, (name, value)]);
            assert_eq!(told.odd.len(), 1, "{name}={value}");
            assert!(!told.odd[0].contains("secret"), "{}", told.odd[0]);
            assert_eq!((told.timeout, told.headers), (USUAL, Vec::new()));
        }
    }
}
