//! The page of `http_server` as a user meets it: its texts, what the user types and presses, and what was visible over
//! time.

use serde_json::Value;
use thirtyfour::prelude::*;

use crate::chromium::Chromium;

/// Records what the card with the progress bar and the countdown show, however briefly, and which requests and streams
/// the page opens.
const RECORDER: &str = r"
    {
        window.seen = { bar: [], state: [], status: [], doing: [], countdown: [], spoken: [], streams: [], fetched: [] };
        const add = (name, value) => { if (seen[name].at(-1) !== value) seen[name].push(value); };
        const part = (card, name) => document.querySelector(`#${card} [data-part=${name}]`);
        const visible = (element) => element && !element.closest('[hidden]');
        const ask = window.fetch;
        window.fetch = (url, options) => { seen.fetched.push(url); return ask(url, options); };
        window.EventSource = class extends EventSource {
            constructor(url) {
                super(url);
                seen.streams.push(new URL(url, location).pathname);
            }
        };
        new MutationObserver(() => {
            const bar = part('hello_cities', 'bar');
            if (visible(bar)) {
                add('bar', bar.value);
                for (const name of ['state', 'status', 'doing']) add(name, part('hello_cities', name).textContent);
            }
            const spoken = part('hello_cities', 'spoken');
            if (spoken) add('spoken', spoken.textContent);
            const countdown = part('reserve_ticket', 'countdown');
            if (visible(countdown)) add('countdown', countdown.textContent);
        }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    }
";

/// Calls back as soon as the condition is true. It is checked now and after each change of the document.
const WHEN: &str = r"
    const done = arguments[arguments.length - 1];
    const part = (card, name) => document.querySelector(`#${card} [data-part=${name}]`);
    const text = (card, name) => part(card, name).textContent;
    const holds = () => { CONDITION };
    if (holds()) return done();
    const observer = new MutationObserver(() => {
        if (!holds()) return;
        observer.disconnect();
        done();
    });
    observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
";

/// A browser that shows the page.
pub(crate) struct Page {
    pub(crate) browser: Chromium,
    expected_errors: Vec<&'static str>,
}

impl Page {
    pub(crate) async fn open(address: &str) -> WebDriverResult<Self> {
        Self::open_with(address, "").await
    }

    /// Opens the page with a script that runs first in each document.
    pub(crate) async fn open_with(address: &str, script: &str) -> WebDriverResult<Self> {
        let browser = Chromium::start(&format!("{script}{RECORDER}")).await?;
        browser.goto(address).await?;
        Ok(Self { browser, expected_errors: Vec::new() })
    }

    /// Waits until an expression of `part(card, name)` and `text(card, name)` is true.
    pub(crate) async fn when(&self, condition: &str) -> WebDriverResult<()> {
        let script = WHEN.replace("CONDITION", &format!("return {condition}"));
        if let Err(error) = self.browser.execute_async(script, Vec::new()).await {
            let text = self.browser.find(By::Tag("body")).await?.text().await?;
            panic!("{condition} does not come true: {error}\n{text}");
        }
        Ok(())
    }

    /// Waits until the card shows this text about its instance.
    pub(crate) async fn when_state(&self, card: &str, state: &str) -> WebDriverResult<()> {
        self.when(&format!("text('{card}', 'state') === '{state}'")).await
    }

    pub(crate) async fn part(&self, card: &str, name: &str) -> WebDriverResult<WebElement> {
        self.browser.find(By::Css(format!("#{card} [data-part={name}]"))).await
    }

    pub(crate) async fn text(&self, card: &str, name: &str) -> WebDriverResult<String> {
        self.part(card, name).await?.text().await
    }

    pub(crate) async fn press(&self, card: &str, name: &str) -> WebDriverResult<()> {
        self.part(card, name).await?.click().await
    }

    /// Types into a field of the card, and replaces what was in the field.
    pub(crate) async fn fill(&self, card: &str, name: &str, text: &str) -> WebDriverResult<()> {
        let field = self.part(card, name).await?;
        field.clear().await?;
        field.send_keys(text).await
    }

    /// Presses the button of the card's form.
    pub(crate) async fn submit(&self, card: &str) -> WebDriverResult<()> {
        self.browser.find(By::Css(format!("#{card} form button"))).await?.click().await
    }

    pub(crate) async fn greet(&self, cities: &str) -> WebDriverResult<()> {
        self.fill("hello_cities", "cities", cities).await?;
        self.submit("hello_cities").await
    }

    pub(crate) async fn ask_for_an_offer(&self, seats: u8, seconds: u32) -> WebDriverResult<()> {
        self.fill("reserve_ticket", "seats", &seats.to_string()).await?;
        self.fill("reserve_ticket", "within", &seconds.to_string()).await?;
        self.submit("reserve_ticket").await
    }

    /// Returns the result of a script.
    pub(crate) async fn value(&self, expression: &str) -> WebDriverResult<Value> {
        Ok(self.browser.execute(format!("return {expression}"), Vec::new()).await?.json().clone())
    }

    /// Returns every value of the progress bar since the page was loaded, in order.
    pub(crate) async fn bars(&self) -> WebDriverResult<Vec<u64>> {
        Ok(serde_json::from_value(self.value("seen.bar").await?)?)
    }

    /// Returns the texts of the buttons or items in a part.
    pub(crate) async fn items(&self, card: &str, name: &str) -> WebDriverResult<Vec<String>> {
        let list = format!(
            "[...document.querySelector('#{card} [data-part={name}]').children].map((item) => item.textContent)"
        );
        Ok(serde_json::from_value(self.value(&list).await?)?)
    }

    /// Expects an error in the console that contains this text.
    pub(crate) fn expect_error(&mut self, text: &'static str) {
        self.expected_errors.push(text);
    }

    /// Ends a test: the console must have no other error, and the document no element that does not belong to the page.
    pub(crate) async fn end(self) -> WebDriverResult<()> {
        let log = self.browser.browser_log().await?;
        let unexpected: Vec<_> = log
            .iter()
            .map(|entry| format!("{}: {}", entry.level, entry.message))
            .filter(|line| !self.expected_errors.iter().any(|expected| line.contains(expected)))
            .collect();
        assert!(unexpected.is_empty(), "in the console: {unexpected:#?}");
        Ok(())
    }
}
