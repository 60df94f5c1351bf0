//! The objects of the schema: who, to where, what was asked, by which program.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value, json};

use super::class;
use super::record::{Observable, Record};
use crate::event::{Event, Kind};

type Out = Map<String, Value>;

pub(super) fn http(record: &mut Record, out: &mut Out) {
    network(record, out);
    let mut request = Map::new();
    if let Some(method) = method(record) {
        request.insert("http_method".into(), method.into());
    }
    if let Some(url) = url(record, out) {
        request.insert("url".into(), url);
    }
    if let Some(headers) = record.take_within("request", "headers") {
        request.insert("http_headers".into(), headers);
    }
    let answered = record.take("status");
    if request.is_empty() && answered.is_none() {
        request.insert("uid".into(), record.look("for").cloned().unwrap_or_default());
    }
    if !request.is_empty() {
        out.insert("http_request".into(), request.into());
    }
    if let Some(code) = answered {
        let mut response = json!({ "code": code });
        if let Some(headers) = record.take_within("response", "headers") {
            response["http_headers"] = headers;
        }
        out.insert("http_response".into(), response); // bodies have no place, and stay
    }
}

/// If it is one that the schema knows.
fn method(record: &mut Record) -> Option<String> {
    let method = record.take_text("method")?;
    if class::is_known(&method) {
        return Some(method);
    }
    record.give_back("method", method);
    None
}

/// The ends of a connection, what it is and how much it carried.
pub(super) fn network(record: &mut Record, out: &mut Out) {
    endpoints(record, out);
    let inbound = matches!(out.get("src_endpoint"), Some(source) if source.get("ip").is_some())
        && out.get("dst_endpoint").is_some_and(|to| to.get("uid").is_some());
    let (direction_id, direction) = if inbound { (1, "Inbound") } else { (2, "Outbound") };
    let mut connection = json!({ "direction_id": direction_id, "direction": direction, "protocol_name": "tcp", "protocol_num": 6 });
    if let Some(uid) = connection_uid(record) {
        connection["uid"] = uid;
    }
    out.insert("connection_info".into(), connection);
    traffic(record, out);
    match record.take("tls") {
        Some(tls) if tls.get("version").is_some_and(Value::is_string) => {
            out.insert("tls".into(), tls);
        }
        Some(tls) => record.give_back("tls", tls), // the schema wants a version
        None => {}
    }
    if let Some(protocol) = record.take_text("protocol") {
        out.insert("app_protocol_name".into(), protocol.into());
    }
}

/// Numbers of connections count within a writer, so that its name belongs to them.
fn connection_uid(record: &mut Record) -> Option<Value> {
    let id = record.look("id")?.as_str()?.to_owned();
    let number = record.take("connection")?;
    let writer = id.split_once('-').map_or(id.as_str(), |(writer, _)| writer);
    Some(format!("{writer}/{number}").into())
}

fn traffic(record: &mut Record, out: &mut Out) {
    let (up, down) = (record.take("bytes_up"), record.take("bytes_down"));
    let (Some(up), Some(down)) = (up.and_then(|up| up.as_u64()), down.and_then(|down| down.as_u64())) else {
        return;
    };
    let sum = up.saturating_add(down);
    out.insert(
        "traffic".into(),
        json!({ "bytes": sum, "bytes_out": up, "bytes_in": down }),
    );
}

/// A sandbox is where what goes out comes from, and where what comes to a published port goes.
fn endpoints(record: &mut Record, out: &mut Out) {
    let published =
        record.look("client").is_some() || record.look("kind").is_some_and(|kind| *kind == "port.published");
    let mut source = Map::new();
    let mut destination = Map::new();
    let inside = if published { &mut destination } else { &mut source };
    if let Some(sandbox) = record.take_text("sandbox") {
        let place = if published {
            "dst_endpoint.uid"
        } else {
            "src_endpoint.uid"
        };
        record.observe(place, Observable::Resource, &sandbox);
        inside.insert("uid".into(), sandbox.into());
        inside.insert("type_id".into(), 6.into());
        inside.insert("type".into(), "Virtual".into());
    }
    if let Some(target) = record.take_text("target") {
        match target
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
        {
            Some((host, port)) => place_host(record, "dst_endpoint", (host, port), &mut destination),
            None => record.give_back("target", target), // a pattern
        }
    }
    if let Some(address) = record.take_text("address") {
        match address.parse::<SocketAddr>() {
            Ok(address) if !published => {
                record.observe("dst_endpoint.ip", Observable::Address, &address.ip().to_string());
                destination.insert("ip".into(), address.ip().to_string().into());
                destination.entry("port").or_insert(address.port().into());
            }
            _ => record.give_back("address", address),
        }
    }
    if let Some(client) = record.take_text("client") {
        match client.parse::<SocketAddr>() {
            Ok(address) => place_host(
                record,
                "src_endpoint",
                (&address.ip().to_string(), address.port()),
                &mut source,
            ),
            Err(_) => match client.parse::<IpAddr>() {
                Ok(address) => place_address(record, "src_endpoint", address, &mut source),
                Err(_) => record.give_back("client", client),
            },
        }
    }
    if let Some(user) = record.take("user") {
        source.insert("owner".into(), json!({ "uid": user.to_string() }));
    }
    for (name, endpoint) in [("src_endpoint", source), ("dst_endpoint", destination)] {
        if !endpoint.is_empty() {
            out.insert(name.into(), endpoint.into());
        }
    }
}

fn place_host(record: &mut Record, name: &str, (host, port): (&str, u16), endpoint: &mut Out) {
    endpoint.insert("port".into(), port.into());
    if let Ok(address) = bare(host).parse::<IpAddr>() {
        return place_address(record, name, address, endpoint);
    }
    record.observe(&format!("{name}.hostname"), Observable::Hostname, host);
    endpoint.insert("hostname".into(), host.into());
}

fn place_address(record: &mut Record, name: &str, address: IpAddr, endpoint: &mut Out) {
    record.observe(&format!("{name}.ip"), Observable::Address, &address.to_string());
    endpoint.insert("ip".into(), address.to_string().into());
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

/// Of the destination that was placed before.
fn url(record: &mut Record, out: &Out) -> Option<Value> {
    let path = record.take_text("path")?;
    let scheme = record.take_text("scheme");
    let (bare, query) = path
        .split_once('?')
        .map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
    let mut url = json!({ "path": bare });
    if let Some(query) = query {
        url["query_string"] = query.into();
    }
    let to = out.get("dst_endpoint");
    let host = to
        .and_then(|to| to.get("hostname").or(to.get("ip")))
        .and_then(Value::as_str);
    let port = to.and_then(|to| to.get("port"));
    if let Some(port) = port {
        url["port"] = port.clone();
    }
    if let (Some(scheme), Some(host)) = (&scheme, host) {
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let whole = format!("{scheme}://{host}{port}{path}");
        record.observe("http_request.url.url_string", Observable::Url, &whole);
        url["url_string"] = whole.into();
        url["hostname"] = host.into();
    }
    if let Some(scheme) = scheme {
        url["scheme"] = scheme.into();
    }
    Some(url)
}

pub(super) fn dns(record: &mut Record, out: &mut Out) {
    endpoints(record, out);
    if let Some(name) = record.take_text("name") {
        record.observe("query.hostname", Observable::Hostname, &name);
        out.insert("query".into(), json!({ "hostname": name }));
    }
    let (id, caption) = match record.look("answer").and_then(Value::as_str) {
        Some("addresses" | "empty") => (0, "NoError"),
        Some("exhausted") => (2, "ServError"),
        Some("no-such-name") => (3, "NXDomain"),
        Some(_) | None => return,
    };
    out.insert("rcode_id".into(), id.into());
    out.insert("rcode".into(), caption.into()); // `answer` tells more, and stays
}

/// Somebody of whom an address is known, or a user.
pub(super) fn stranger(record: &mut Record, out: &mut Out) {
    let client = record
        .look("client")
        .and_then(Value::as_str)
        .unwrap_or("unknown")
        .to_owned();
    endpoints(record, out);
    out.insert(
        "user".into(),
        json!({ "name": client, "type_id": 0, "type": "Unknown" }),
    );
    out.insert("service".into(), json!({ "name": "Outwall" }));
    out.insert("is_remote".into(), true.into());
}

pub(super) fn entity(kind: Kind, record: &mut Record, out: &mut Out) {
    let credential = matches!(
        kind,
        Kind::CredentialIssued | Kind::CredentialRevoked | Kind::CredentialKeyRotated
    );
    let (type_id, type_name) = match kind {
        _ if credential => (99, "Credential"),
        Kind::SegmentRemoved => (99, "File of the audit log"),
        _ => (5, "Policy"),
    };
    let mut entity = json!({ "type_id": type_id, "type": type_name });
    let name = match kind {
        Kind::CredentialKeyRotated => Some("signing key".to_owned()),
        _ if credential => record.take_text("credential"),
        Kind::GrantMade | Kind::GrantEnded => record
            .take_text("target")
            .map(|hosts| format!("grant of {hosts}")),
        _ => record.take_text("file"),
    };
    entity["name"] = name.unwrap_or_else(|| unnamed(credential).to_owned()).into();
    if let Some(sha256) = record.take_text("sha256") {
        record.observe("entity.version", Observable::Hash, &sha256);
        entity["version"] = sha256.into();
    }
    if let Some(sandbox) = record.take_text("sandbox") {
        record.observe("entity.uid", Observable::Resource, &sandbox);
        entity["uid"] = sandbox.into();
    }
    out.insert("entity".into(), entity);
}

fn unnamed(credential: bool) -> &'static str {
    if credential {
        "credentials of a sandbox"
    } else {
        "built-in policy"
    }
}

/// A gate is this program; a sandbox is what it runs.
pub(super) fn application(kind: Kind, record: &mut Record, out: &mut Out) {
    let is_gate = matches!(kind, Kind::GateStarted | Kind::GateStopped);
    let mut product = Map::new();
    let program = record.take_text("program");
    if is_gate {
        let program = program.unwrap_or_default();
        product.insert("name".into(), "outwall".into());
        if let Some((_, version)) = program.split_once(' ') {
            product.insert("version".into(), version.into());
        }
    } else {
        product.insert("name".into(), program.unwrap_or_else(|| "sandbox".into()).into());
    }
    if let Some(sandbox) = record.take_text("sandbox") {
        record.observe("app.uid", Observable::Resource, &sandbox);
        product.insert("uid".into(), sandbox.into());
    }
    out.insert("app".into(), product.into());
}

pub(super) fn finding(event: &Event, record: &mut Record, out: &mut Out) {
    let code = event.reason.clone().unwrap_or_else(|| "finding".into());
    let title = event.message.clone().unwrap_or_else(|| code.clone());
    out.insert(
        "finding_info".into(),
        json!({
            "uid": event.id,
            "title": title,
            "types": [&code],
            "analytic": { "name": code, "type_id": 1, "type": "Rule" },
        }),
    );
    out.insert("is_alert".into(), true.into());
    if let Some(remedy) = record.take("remedy") {
        out.insert("remediation".into(), json!({ "desc": remedy }));
    }
    let mut evidence = Map::new();
    endpoints(record, &mut evidence);
    if let Some(url) = url(record, &evidence) {
        let mut request = json!({ "url": url });
        if let Some(method) = method(record) {
            request["http_method"] = method.into();
        }
        evidence.insert("http_request".into(), request);
    }
    if !evidence.is_empty() {
        out.insert("evidences".into(), vec![Value::Object(evidence)].into());
    }
}

/// The session, the credential that is used for it, and the program that asked, where that is certain.
pub(super) fn actor(record: &mut Record, out: &mut Out) {
    let mut session = Map::new();
    if let Some(uid) = record.take("session") {
        session.insert("uid".into(), uid);
    }
    if let Some(credential) = record.take("credential") {
        session.insert("credential_uid".into(), credential);
    }
    let mut actor = Map::new();
    if !session.is_empty() {
        actor.insert("session".into(), session.into());
    }
    if let Some(process) = process(record) {
        actor.insert("process".into(), process);
    }
    if !actor.is_empty() {
        out.insert("actor".into(), actor.into());
    }
}

fn process(record: &mut Record) -> Option<Value> {
    let written = record.take("process")?;
    let text = |name: &str| written.get(name).and_then(Value::as_str);
    let (Some(pid), Some(executable)) = (written.get("pid").and_then(Value::as_u64), text("executable"))
    else {
        record.give_back("process", written.clone()); // it is unknown, and the schema has no place for why
        return None;
    };
    let name = executable.rsplit('/').next().unwrap_or(executable);
    let mut file = json!({ "name": name, "path": executable, "type_id": 1, "type": "Regular File" });
    record.observe("actor.process.name", Observable::Program, name);
    if let Some(sha256) = text("sha256") {
        record.observe("actor.process.file.hashes", Observable::Hash, sha256);
        file["hashes"] = json!([{ "algorithm_id": 3, "algorithm": "SHA-256", "value": sha256 }]);
    }
    let mut process = json!({ "pid": pid, "name": name, "path": executable, "file": file });
    if let Some(ancestors) = written
        .get("ancestors")
        .filter(|all| all.as_array().is_some_and(|all| !all.is_empty()))
    {
        process["lineage"] = ancestors.clone();
    }
    Some(process)
}
