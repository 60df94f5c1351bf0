//! `outwall ui`: pages over HTTP, as they are without script, for whoever has the link and for nobody else.

mod browser;
mod visit;

use outwall_tests::{Outwall, TestGate, TestOrigin};

use crate::outwall;
use visit::{Answer, Ui, ask};

const HOST: &str = "api.example.test";

/// A gate through which something was sent, something was refused and something hostile was tried.
fn traffic(origin: &TestOrigin) -> (Outwall, TestGate) {
    let outwall = outwall().allowing(&[HOST]).origin(HOST, origin);
    let gate = outwall.gate();
    gate.client()
        .send("POST", &format!("https://{HOST}/echo/items?key=s3cret"), "hello")
        .into_text();
    let mut connection = gate.client().open(&format!("https://{HOST}/"));
    for path in ["first", "%3Cscript%3E'%22"] {
        connection.get(&format!("https://{HOST}/echo/{path}")).into_text();
    }
    gate.client().get("https://other.example.test/").into_text();
    (outwall, gate)
}

#[track_caller]
fn shows(answer: &Answer, texts: &[&str]) {
    assert_eq!(answer.status, 200, "{answer:?}");
    for text in texts {
        assert!(answer.body.contains(text), "no `{text}` in\n{}", answer.body);
    }
}

#[test]
fn a_link_is_good_once_and_enter_prints_another() {
    let outwall = outwall();
    let mut ui = Ui::start(&outwall, &["ui"]);
    let link = ui.link();
    let head = ask(ui.address, "HEAD", &link, &[]);
    assert_eq!(head.status, 405, "looking at a link does not use it up");
    let logged_in = ask(ui.address, "GET", &link, &[]);
    shows(&logged_in, &["Logged in", "http-equiv=\"refresh\""]);
    let cookie = logged_in.header("set-cookie").unwrap();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let again = ask(ui.address, "GET", &link, &[]);
    assert_eq!(again.status, 401);
    assert!(
        again.body.contains("press Enter") || again.body.contains("Press Enter"),
        "{again:?}"
    );
    assert_eq!(again.header("set-cookie"), None);

    ui.press_enter();
    let other = ui.link();
    assert_ne!(other, link);
    shows(&ask(ui.address, "GET", &other, &[]), &["Logged in"]);
}

#[test]
fn a_page_is_for_whoever_has_a_session_until_it_is_logged_out() {
    let outwall = outwall();
    let mut ui = Ui::start(&outwall, &["ui"]);
    ui.log_in();
    for view in [
        "/",
        "/findings",
        "/denials",
        "/top",
        "/sandboxes",
        "/timeline",
        "/state",
    ] {
        let path = format!("{}{view}", ui.base);
        assert_eq!(ui.get(view).status, 200, "{view}");
        for cookie in [None, Some("outwall_ui=x"), Some("other=1")] {
            let headers: Vec<_> = cookie.iter().map(|cookie| ("cookie", *cookie)).collect();
            let stranger = ask(ui.address, "GET", &path, &headers);
            assert_eq!(stranger.status, 401, "{view} {cookie:?}");
            assert!(stranger.body.contains("Press Enter"), "{stranger:?}");
        }
    }
    assert_eq!(
        ask(ui.address, "GET", &format!("{}/stream", ui.base), &[]).status,
        401
    );
    let elsewhere = ask(ui.address, "GET", "/denials", &[("cookie", &ui.cookie)]);
    assert_eq!(
        elsewhere.status, 401,
        "pages are below a path that nobody guesses"
    );
    assert_eq!(ui.get("/nothing").status, 404);

    assert_eq!(ui.ask("GET", "/logout", &[]).status, 405);
    assert_eq!(ui.get("/").status, 200);
    assert_eq!(ui.ask("POST", "/logout", &[]).status, 200);
    assert_eq!(ui.get("/").status, 401);
}

#[test]
fn what_another_host_or_page_has_a_browser_ask_for_is_refused() {
    let outwall = outwall();
    let mut ui = Ui::start(&outwall, &["ui"]);
    ui.log_in();
    let with = |headers: &[(&str, &str)]| ui.ask("GET", "/", headers).status;
    let port = ui.address.port();
    let (ours, rebound) = (format!("localhost:{port}"), format!("evil.test:{port}"));
    assert_eq!(
        (with(&[("host", &ours)]), with(&[("host", &rebound)])),
        (200, 403)
    );
    let from = |site| {
        with(&[
            ("sec-fetch-site", site),
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-dest", "empty"),
        ])
    };
    assert_eq!(
        (from("same-origin"), from("same-site"), from("cross-site")),
        (200, 403, 403)
    );
    let origin = format!("http://{}", ui.address);
    assert_eq!(
        ui.ask("POST", "/logout", &[("origin", "http://127.0.0.1:1")])
            .status,
        403
    );
    assert_eq!(ui.get("/").status, 200, "still logged in");
    assert_eq!(ui.ask("POST", "/logout", &[("origin", &origin)]).status, 200);
}

#[test]
fn every_answer_lets_a_browser_run_load_frame_and_keep_nothing_else() {
    let outwall = outwall();
    let mut ui = Ui::start(&outwall, &["ui"]);
    ui.log_in();
    let style = ask(ui.address, "GET", "/assets/style.css", &[]);
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    let answers = [
        ui.get("/"),
        ui.get("/nothing"),
        ask(ui.address, "GET", "/login?token=x", &[]),
        ask(ui.address, "GET", "/", &[("host", "evil.test")]),
        style,
    ];
    for answer in &answers {
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part) && !policy.contains("unsafe"), "{policy}");
        }
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        for inline in [
            "style=",
            "onclick",
            "javascript:",
            "<style",
            "http://",
            "https://cdn",
        ] {
            let body = answer.body.replace("xmlns=\"http://www.w3.org", "");
            assert!(!body.contains(inline), "`{inline}` in\n{body}");
        }
    }
}

#[test]
fn each_view_shows_what_happened_and_hostile_text_is_text() {
    let origin = TestOrigin::start();
    let (outwall, gate) = traffic(&origin);
    let mut ui = Ui::start(&outwall, &["ui"]);
    ui.log_in();
    let sandbox = outwall.audit_with(&["--denied"])[0]["sandbox"]
        .as_str()
        .unwrap()
        .to_owned();

    let all = ui.get("/");
    shows(
        &all,
        &[
            "POST https://api.example.test/echo/items",
            ">200<",
            "host-not-allowed",
            &sandbox,
        ],
    );
    assert!(
        !all.body.contains("s3cret") && !all.body.contains("<script>'"),
        "{}",
        all.body
    );
    let denied = ui.get("/?denied=1");
    shows(&denied, &["other.example.test"]);
    assert!(!denied.body.contains("echo/items"), "{}", denied.body);
    let of_host = ui.get("/?host=*.example.test&method=post");
    shows(&of_host, &["echo/items"]);
    assert!(
        !of_host.body.contains("host-not-allowed</td>"),
        "{}",
        of_host.body
    );
    let wrong = ui.get("/?host=https://x/&since=soon");
    shows(&wrong, &["the filter cannot be used", "90m"]);

    let sent = outwall.audit_of("exchange.going_out");
    let event_of = |path: &str| {
        let record = sent
            .iter()
            .find(|record| record["path"].as_str().unwrap().starts_with(path));
        ui.get(&format!("/events/{}", record.unwrap()["id"].as_str().unwrap()))
    };
    let event = event_of("/echo/items");
    shows(
        &event,
        &[
            "What happened",
            "Sent to the origin",
            ">5 bytes<",
            "allowed_domains &quot;api.example.test&quot;",
            "&quot;kind&quot;:&quot;exchange.came_back&quot;",
        ],
    );
    assert!(!event.body.contains("In the same connection"), "{}", event.body);
    shows(
        &event_of("/echo/first"),
        &["In the same connection", "%3Cscript%3E"],
    );
    assert_eq!(ui.get("/events/000000000000-1").status, 404);
    assert_eq!(ui.get("/events/%3Cscript%3E").status, 404);

    shows(
        &ui.get("/denials"),
        &[
            "other.example.test:443",
            "[environments.test]",
            "allowed_domains = [&quot;other.example.test&quot;]",
            "outwall policy allow other.example.test --environment test",
        ],
    );
    shows(&ui.get("/top"), &[HOST, "width=\"100%\""]);
    shows(&ui.get("/top?what=denied"), &["other.example.test:443"]);
    shows(&ui.get("/findings"), &["No findings."]);
    shows(&ui.get("/sandboxes"), &[&sandbox, "runs"]);
    shows(
        &ui.get(&format!("/timeline?sandbox={sandbox}")),
        &["echo/items", "class=\"step deny\""],
    );
    shows(
        &ui.get("/state"),
        &["No sinks are configured", &format!("Process {}", gate.pid())],
    );
    let whole = ui.wait_for("/state", "every one fits");
    assert!(whole.body.contains(" records in 1 file"), "{}", whole.body);
    gate.stop();
    shows(&ui.get("/sandboxes"), &["past"]);
}

#[test]
fn a_record_that_does_not_fit_is_named_on_the_state_page() {
    let origin = TestOrigin::start();
    let (outwall, gate) = traffic(&origin);
    gate.stop();
    let log = std::fs::read_dir(outwall.state_dir().join("audit")).unwrap();
    let texts = log.map(|entry| {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        (path, text)
    });
    let (file, text) = texts
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "jsonl"))
        .find(|(_, text)| text.contains("other.example.test"))
        .unwrap();
    let forged = text.replace("other.example.test", "fine1.example.test");
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, forged).unwrap();
    let mut ui = Ui::start(&outwall, &["ui"]);
    ui.log_in();
    let broken = ui.wait_for("/state", "do not fit");
    assert!(broken.body.contains("was changed"), "{}", broken.body);
}

#[test]
fn pages_go_back_as_far_as_the_log_does() {
    let origin = TestOrigin::start();
    let outwall = outwall().allowing(&[HOST]).origin(HOST, &origin);
    let gate = outwall.gate();
    let mut connection = gate.client().open(&format!("https://{HOST}/"));
    for number in 0..120 {
        connection.get(&format!("https://{HOST}/n{number}/")).into_text();
    }
    let mut ui = Ui::start(&outwall, &["ui"]);
    ui.log_in();
    let (mut path, mut seen) = ("/".to_owned(), String::new());
    let mut pages = 0;
    loop {
        let page = ui.get(&path);
        assert_eq!(page.status, 200);
        seen.push_str(&page.body);
        pages += 1;
        let Some((_, after)) = page.body.split_once("rel=\"next\" href=\"") else {
            break;
        };
        let href = after.split('"').next().unwrap().replace("&amp;", "&");
        path = href.strip_prefix(&ui.base).unwrap().to_owned();
    }
    assert_eq!(pages, 3);
    for number in 0..120 {
        assert_eq!(seen.matches(&format!("/n{number}/<")).count(), 1, "{number}");
    }
}

#[test]
fn what_is_new_is_told_as_it_happens() {
    let origin = TestOrigin::start();
    let outwall = outwall().allowing(&[HOST]).origin(HOST, &origin);
    let gate = outwall.gate();
    let mut ui = Ui::start(&outwall, &["ui"]);
    ui.log_in();
    let mut all = ui.stream("/stream");
    let mut denied = ui.stream("/stream?denied=1");
    gate.client().get(&format!("https://{HOST}/live")).into_text();
    gate.client().get("https://other.example.test/").into_text();
    let row = all.wait_for("/live");
    assert!(
        row.contains("event: row") && row.contains("<tr data-id="),
        "{row}"
    );
    all.wait_for(">200<");
    let only = denied.wait_for("other.example.test");
    assert!(!only.contains("/live"), "{only}");
}

#[test]
fn the_pages_are_for_this_machine_alone_and_end_with_ctrl_c() {
    let outwall = outwall();
    let open = outwall.run(&["ui", "--listen", "0.0.0.0:0"]).exited_with(1);
    assert!(
        open.stderr.contains("for this one alone") && open.stderr.contains("ssh -L"),
        "{open:?}"
    );
    let mut ui = Ui::start(&outwall, &["ui", "--listen", "[::1]:0"]);
    ui.log_in();
    let _stream = ui.stream("/stream");
    ui.stop();
}

#[test]
fn a_socket_serves_them_for_a_tunnel() {
    let outwall = outwall();
    let path = outwall.work_dir().join("ui.sock");
    let server = outwall.start(&["ui", "--socket", path.to_str().unwrap()]);
    server.wait_for_output("open http://localhost:PORT/login?token=");
    let said = server.output();
    let link = said.split("localhost:PORT").nth(1).unwrap().trim();
    let stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let answer = visit::converse(stream, "GET", link, &[("host", "localhost:8600")]);
    shows(&answer, &["Logged in"]);
    server.signal("INT");
    server.finish().succeeded();
    assert!(!path.exists(), "the file of the socket is removed");
}
