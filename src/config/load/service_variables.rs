//! Environment variables that Kubernetes sets for each Service of a namespace.
//!
//! They have the form of Docker's links. For a Service `longshore` with the port 7373 they are
//! `LONGSHORE_SERVICE_HOST`, `LONGSHORE_SERVICE_PORT`, `LONGSHORE_SERVICE_PORT_HTTP` (for a port with the
//! name `http`), `LONGSHORE_PORT`, and `LONGSHORE_PORT_7373_TCP` with the endings `_PROTO`, `_PORT` and
//! `_ADDR`. Those of a Service `longshore-web` start with `LONGSHORE_WEB_`. See "Environment variables"
//! in <https://kubernetes.io/docs/concepts/services-networking/service/>.

use std::net::IpAddr;

/// Protocols of a port, as in the values and, in capitals, in the names.
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// Returns whether Kubernetes sets a variable with this name and value for a Service.
///
/// Both must have the form, so that a misspelt setting such as `LONGSHORE_PORT=8080` is still refused.
pub(super) fn is_of_a_service(name: &str, value: &str) -> bool {
    // Two underscores separate the parts of a setting's path. A Service has them in its name only if it
    // has two hyphens there.
    if name.contains("__") {
        return false;
    }
    let is_port = value.parse::<u16>().is_ok();
    let is_address = value.parse::<IpAddr>().is_ok();
    if name.ends_with("_SERVICE_HOST") {
        return is_address;
    }
    if name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
        return is_port;
    }
    if let Some(ending) = after_protocol(name) {
        return match ending {
            "" => is_url(value),
            "_PROTO" => PROTOCOLS.contains(&value),
            "_PORT" => is_port,
            "_ADDR" => is_address,
            _ => false,
        };
    }
    name.ends_with("_PORT") && is_url(value)
}

/// Returns what follows `_PORT_7373_TCP` in the name of a variable; `None` if it has no such part.
fn after_protocol(name: &str) -> Option<&str> {
    let (_, port) = name.rsplit_once("_PORT_")?;
    let digits = port.find(|character: char| !character.is_ascii_digit()).filter(|at| *at > 0)?;
    let protocol = port[digits..].strip_prefix('_')?;
    PROTOCOLS.iter().find_map(|name| protocol.strip_prefix(name.to_ascii_uppercase().as_str()))
}

/// Returns whether a value has the form `tcp://10.0.0.1:7373`.
fn is_url(value: &str) -> bool {
    let Some((protocol, address)) = value.split_once("://") else { return false };
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| is_port(port));
    PROTOCOLS.contains(&protocol) && has_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_a_service_are_known_by_name_and_value() {
        for (name, value) in [
            ("LONGSHORE_SERVICE_HOST", "10.96.12.7"),
            ("LONGSHORE_SERVICE_HOST", "fd00::7"),
            ("LONGSHORE_SERVICE_PORT", "7373"),
            ("LONGSHORE_SERVICE_PORT_HTTP_API", "7373"),
            ("LONGSHORE_PORT", "tcp://10.96.12.7:7373"),
            ("LONGSHORE_PORT", "tcp://[fd00::7]:7373"),
            ("LONGSHORE_PORT_7373_TCP", "tcp://10.96.12.7:7373"),
            ("LONGSHORE_PORT_7373_TCP_PROTO", "tcp"),
            ("LONGSHORE_PORT_7373_TCP_PORT", "7373"),
            ("LONGSHORE_PORT_7373_TCP_ADDR", "10.96.12.7"),
            ("LONGSHORE_PORT_53_UDP_ADDR", "10.96.12.7"),
            ("LONGSHORE_WEB_UI_SERVICE_HOST", "10.96.12.8"),
            ("LONGSHORE_WEB_UI_PORT_80_TCP", "tcp://10.96.12.8:80"),
            ("LONGSHORE_LOG_PORT", "udp://10.96.12.9:514"),
        ] {
            assert!(is_of_a_service(name, value), "{name}={value}");
        }
    }

    #[test]
    fn a_misspelt_setting_is_not_taken_for_a_variable_of_a_service() {
        for (name, value) in [
            ("LONGSHORE_PORT", "7373"),
            ("LONGSHORE_PORT", "http://10.96.12.7:7373"),
            ("LONGSHORE_PORT", "tcp://10.96.12.7"),
            ("LONGSHORE_HOST", "10.96.12.7"),
            ("LONGSHORE_SERVICE_HOST", "localhost"),
            ("LONGSHORE_SERVICE_PORT", "http"),
            ("LONGSHORE_PORT_TCP", "tcp://10.96.12.7:7373"),
            ("LONGSHORE_PORT_7373_TCP_ADDRESS", "10.96.12.7"),
            ("LONGSHORE_LISTEN", "10.96.12.7"),
            ("LONGSHORE_LISTEN_PORT", "7373"),
            ("LONGSHORE_COMMANDS__LOAD__ENV__DB_PORT", "tcp://10.96.12.7:5432"),
        ] {
            assert!(!is_of_a_service(name, value), "{name}={value}");
        }
    }
}
