//! The page of the example `http_server` in a real browser. Everything that a user sees comes from the HTTP API, and
//! survives a reload of the page and a kill of the server.

mod access;
mod chromium;
mod layout;
mod page;
mod picture;
mod server;

use page::Page;
use serde_json::json;
use server::Server;
use thirtyfour::prelude::*;

/// There are enough cities that some are left when a slow machine has shown the first.
const FIVE: [&str; 5] = ["Tokyo", "Seattle", "London", "Graz", "Kyoto"];

#[tokio::test(flavor = "multi_thread")]
async fn the_bar_moves_through_every_city() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    page.greet("Tokyo, Seattle ,London,").await?;
    page.when_state("hello_cities", "Completed").await?;
    page.when("text('hello_cities', 'doing') === 'All cities greeted'").await?;
    assert_eq!(page.bars().await?, [0, 1, 2, 3]);
    let statuses = [
        "null",
        r#"{ "done": 0, "total": 3, "greeting": "Tokyo" }"#,
        r#"{ "done": 1, "total": 3, "greeting": "Seattle" }"#,
        r#"{ "done": 2, "total": 3, "greeting": "London" }"#,
        r#"{ "done": 3, "total": 3, "greeting": null }"#,
    ];
    assert_eq!(page.value("seen.status").await?, json!(statuses));
    let doing = ["Starting", "Greeting Tokyo", "Greeting Seattle", "Greeting London", "All cities greeted"];
    let seen: Vec<String> = serde_json::from_value(page.value("seen.doing").await?)?;
    assert!(doing.iter().all(|text| seen.iter().any(|seen| seen == text)), "{seen:?}");
    assert_eq!(page.text("hello_cities", "count").await?, "3 of 3");
    assert_eq!(page.items("hello_cities", "greetings").await?, ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
    assert_eq!(server.greeted(), ["Tokyo", "Seattle", "London"]);

    // The page requests nothing twice: it sends the start, and opens one stream.
    let base = "/runtime/webhooks/durabletask";
    assert_eq!(page.value("seen.fetched").await?, json!([format!("{base}/orchestrators/hello_cities")]));
    let paths =
        page.value("performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)").await?;
    let stream = format!("{base}/instances/stream");
    assert_eq!(paths.as_array().unwrap().iter().filter(|path| **path == stream).count(), 1, "{paths:#}");
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_confirmed_or_declined() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    let answers = [
        ("confirm", "Thank you! Your seats are reserved."),
        ("decline", "You declined the offer. The seats are released."),
    ];
    for (answer, message) in answers {
        page.ask_for_an_offer(4, 300).await?;
        page.when("!part('reserve_ticket', 'offer').hidden").await?;
        assert_eq!(page.text("reserve_ticket", "discount").await?, "15 %");
        assert!(page.text("reserve_ticket", "address").await?.starts_with("https://tickets.example/"));
        page.press("reserve_ticket", answer).await?;
        page.when_state("reserve_ticket", "Completed").await?;
        page.when("part('reserve_ticket', 'offer').hidden").await?;
        assert_eq!(page.text("reserve_ticket", "message").await?, message);
    }
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_nobody_answers_runs_out() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    page.ask_for_an_offer(1, 2).await?;
    page.when_state("reserve_ticket", "Completed").await?;
    let late = "You did not answer in time. The offer has expired.";
    page.when(&format!("text('reserve_ticket', 'message') === '{late}'")).await?;
    page.when("!part('reserve_ticket', 'fields').disabled").await?;
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_refines_the_recommendation_and_needs_no_mouse() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    // The arrow keys move from snow to the sea, as in any group of radio buttons.
    let interest = page.browser.find(By::Css("#city_recommender input:checked")).await?;
    interest.send_keys(Key::Left + "").await?;
    page.browser.active_element().await?.send_keys(Key::Tab + "").await?;
    page.browser.active_element().await?.send_keys(Key::Enter + "").await?;

    page.when("part('city_recommender', 'cities').children.length === 3").await?;
    assert_eq!(page.items("city_recommender", "cities").await?, ["Lisbon", "Split", "Cape Town"]);
    assert_eq!(page.text("city_recommender", "seasons").await?, "Best in summer or autumn");
    page.browser
        .find(By::Css("#city_recommender [data-part=cities] :nth-child(2)"))
        .await?
        .send_keys(Key::Enter + "")
        .await?;

    page.when("text('city_recommender', 'result') === 'Go to Split in autumn.'").await?;
    assert_eq!(page.text("city_recommender", "status").await?, r#"{ "cities": [ "Split" ], "seasons": [ "autumn" ] }"#);
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_continues_with_running_instances() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    page.ask_for_an_offer(2, 500).await?;
    page.greet(&FIVE.join(", ")).await?;
    page.when("part('hello_cities', 'bar').value >= 1").await?;
    page.when("text('reserve_ticket', 'countdown') < '8:19'").await?;
    let instance = page.text("hello_cities", "instance").await?;

    page.browser.refresh().await?;
    // The time of the offer did not start again.
    page.when("seen.countdown.length > 0").await?;
    let countdown = page.value("seen.countdown[0]").await?;
    assert!(countdown.as_str() < Some("8:19"), "{countdown}");
    page.when_state("hello_cities", "Completed").await?;
    page.when("part('hello_cities', 'greetings').children.length === 5").await?;
    assert_eq!(page.text("hello_cities", "instance").await?, instance);
    let bars = page.bars().await?;
    assert!(bars[0] >= 1 && bars.is_sorted() && bars.ends_with(&[5]), "{bars:?}");
    assert_eq!(server.greeted(), FIVE);

    // An instance that has ended is shown too.
    page.browser.refresh().await?;
    page.when("part('hello_cities', 'greetings').children.length === 5").await?;
    page.press("reserve_ticket", "confirm").await?;
    page.when_state("reserve_ticket", "Completed").await?;
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_waits_for_a_killed_server() -> WebDriverResult<()> {
    let mut server = Server::start();
    let mut page = Page::open(&server.address).await?;
    page.greet(&FIVE.join(", ")).await?;
    page.when("part('hello_cities', 'bar').value >= 1").await?;
    server.kill();
    page.when_state("hello_cities", "Reconnecting…").await?;
    page.submit("reserve_ticket").await?;
    page.when("text('reserve_ticket', 'error').startsWith('The server does not answer.')").await?;

    server.start_again();
    page.when_state("hello_cities", "Completed").await?;
    // The message about the server is gone.
    page.when("part('reserve_ticket', 'error').hidden").await?;
    // The instance may have continued before the page was loaded again.
    let bars = page.bars().await?;
    assert!(bars.starts_with(&[0, 1]) && bars.is_sorted() && bars.ends_with(&[5]), "{bars:?}");
    let states = page.value("seen.state").await?;
    assert_eq!(states, json!(["Pending", "Running", "Reconnecting…", "Running", "Completed"]));
    let greeted = server.greeted();
    assert_eq!(greeted.iter().filter(|city| *city == "Tokyo").count(), 1, "it was recorded: {greeted:?}");
    // The kill may have happened between a greeting and its record.
    let mut once = greeted.clone();
    once.dedup();
    assert_eq!(once, FIVE);

    page.expect_error("net::ERR_CONNECTION_REFUSED");
    page.expect_error("net::ERR_INCOMPLETE_CHUNKED_ENCODING");
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_the_server_does_not_know_is_forgotten() -> WebDriverResult<()> {
    let mut server = Server::start();
    let mut page = Page::open(&server.address).await?;
    page.ask_for_an_offer(2, 600).await?;
    page.when_state("reserve_ticket", "Running").await?;
    server.kill();
    server.start_with_another_database();
    page.when("part('reserve_ticket', 'live').hidden && !part('reserve_ticket', 'fields').disabled").await?;
    let forgotten = "The server does not know the instance that was followed here.";
    assert_eq!(page.text("reserve_ticket", "error").await?, forgotten);
    assert_eq!(page.value("localStorage.length").await?, 0);
    page.expect_error("net::ERR_");
    page.expect_error("404");
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_instance_can_be_stopped() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    page.greet(&FIVE.join(", ")).await?;
    page.when("part('hello_cities', 'bar').value >= 1").await?;
    page.press("hello_cities", "stop").await?;
    page.when_state("hello_cities", "Terminated").await?;
    page.when("text('hello_cities', 'doing') === 'Stopped'").await?;
    page.when("!part('hello_cities', 'fields').disabled && part('hello_cities', 'stop').hidden").await?;
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_city_is_text() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    let city = "<img src=x onerror=alert(1)>";
    page.greet(city).await?;
    page.when(&format!("text('hello_cities', 'doing') === 'Greeting {city}'")).await?;
    page.when_state("hello_cities", "Completed").await?;
    page.when("part('hello_cities', 'greetings').children.length === 1").await?;
    assert_eq!(page.items("hello_cities", "greetings").await?, [format!("Hello {city}!")]);
    assert_eq!(page.value("document.images.length").await?, 0);
    // An open dialog would make every command fail, and a refused script would appear in the console.
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    page.greet(", ,").await?;
    page.when("text('hello_cities', 'error') === 'Which cities?'").await?;
    // The browser does not submit the form, so nothing is started.
    page.ask_for_an_offer(12, 10).await?;
    assert_eq!(page.value("document.querySelector('#reserve_ticket input:invalid').name").await?, "seats");
    assert_eq!(page.value("localStorage.length").await?, 0);
    page.end().await
}
