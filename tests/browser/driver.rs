//! A browser under test: chromedriver, asked over its WebDriver protocol with plain TCP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// One browser at a time: two are slower than one after the other.
static ONE: Mutex<()> = Mutex::new(());

/// A headless browser with one page. It ends when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _one: MutexGuard<'static, ()>,
}

/// What the browser is called: on Debian, and on the machines of GitHub. The driver finds it itself.
const BROWSERS: [&str; 3] = ["chromium", "google-chrome", "chromium-browser"];

fn is_there(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success())
}

/// A browser takes most of a minute, so it is started where somebody asks for it, as `.ci/run` does.
pub(crate) fn is_required() -> bool {
    std::env::var_os("POLICY_REQUIRE_BROWSER").is_some()
}

impl Browser {
    /// Starts one; `None` where nobody asks for it.
    pub(crate) fn start() -> Option<Self> {
        if !is_required() {
            eprintln!("SKIPPED: POLICY_REQUIRE_BROWSER=1 has the portal looked at in a browser");
            return None;
        }
        assert!(
            is_there("chromedriver") && BROWSERS.into_iter().any(is_there),
            "a browser is required here and absent: apt-get install chromium chromium-driver"
        );
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = port_of(&mut driver);
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            _one: one,
        };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-background-networking",
        ];
        let capabilities = json!({
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {"args": arguments},
        });
        let made = browser.ask(
            "POST",
            "/session",
            &json!({"capabilities": {"alwaysMatch": capabilities}}),
        );
        made["sessionId"]
            .as_str()
            .unwrap()
            .clone_into(&mut browser.session);
        let focused = json!({"enabled": true});
        browser.devtools("Emulation.setFocusEmulationEnabled", &focused);
        Some(browser)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" || method == "DELETE" {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        let mut bytes = vec![0; length];
        answer.read_exact(&mut bytes).unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let value = value["value"].clone();
        assert!(
            value.get("error").is_none(),
            "{method} {path}: {} {}",
            value["error"],
            value["message"]
        );
        value
    }

    fn in_session(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(method, &format!("/session/{}{path}", self.session), body)
    }

    /// Opens an address.
    pub(crate) fn open(&self, url: &str) {
        self.in_session("POST", "/url", &json!({"url": url}));
    }

    /// What a piece of JavaScript returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        let body = json!({"script": script, "args": []});
        self.in_session("POST", "/execute/sync", &body)
    }

    /// What a piece of JavaScript hands to its last argument.
    pub(crate) fn run_async(&self, script: &str) -> Value {
        let body = json!({"script": script, "args": []});
        self.in_session("POST", "/execute/async", &body)
    }

    /// The text that a person sees in an element.
    pub(crate) fn text(&self, selector: &str) -> String {
        let found = self.run(&format!(
            "return document.querySelector({selector:?}).innerText"
        ));
        found.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a piece of JavaScript returns true.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, limit: Duration) {
        let end = Instant::now() + limit;
        while self.run(&format!("return {what}")) != json!(true) {
            assert!(Instant::now() < end, "not within {limit:?}: {what}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Sends a command of the DevTools protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.in_session("POST", "/goog/cdp/execute", &body)
    }

    /// Sets the size of the window and the colour scheme of the system.
    pub(crate) fn look(&self, width: u32, height: u32, scheme: &str) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// Presses a key, by its WebDriver code or as itself.
    pub(crate) fn press(&self, keys: &[&str]) {
        let down = keys
            .iter()
            .map(|key| json!({"type": "keyDown", "value": key}));
        let up = keys
            .iter()
            .rev()
            .map(|key| json!({"type": "keyUp", "value": key}));
        let actions: Vec<Value> = down.chain(up).collect();
        let body = json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]});
        self.in_session("POST", "/actions", &body);
    }

    /// What the console said since the last question.
    pub(crate) fn console(&self) -> Vec<String> {
        let log = self.in_session("POST", "/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().unwrap().iter();
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses that were asked for since the last question.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = self.in_session("POST", "/se/log", &json!({"type": "performance"}));
        let messages = log.as_array().unwrap().iter().filter_map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let sent = &message["message"];
            (sent["method"] == "Network.requestWillBeSent").then(|| {
                sent["params"]["request"]["url"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
        });
        messages.collect()
    }

    /// Keeps a picture of the whole page in target/screenshots.
    pub(crate) fn picture(&self, name: &str, width: u32) {
        let height = self.run("return document.documentElement.scrollHeight");
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let shot = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let png = self.devtools("Page.captureScreenshot", &shot);
        let bytes = unbase64(png["data"].as_str().unwrap());
        let directory = target().join("screenshots");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(format!("{name}.png")), bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.in_session("DELETE", "", &Value::Null);
        }
        // With the session's end it closes its browser; what remains ends with it.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn port_of(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let line = lines
        .by_ref()
        .map(Result::unwrap)
        .find(|line| line.contains("started successfully on port"))
        .expect("chromedriver says its port");
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    // It goes on writing; nobody may close what it writes to.
    std::thread::spawn(move || lines.for_each(drop));
    digits.parse().unwrap()
}

pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn unbase64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}
