//! The page for people who use it in other ways: by keyboard, with a screen reader, in forced colours, in several
//! windows, or with a wrong clock.

use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::page::Page;
use crate::picture;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_serves_every_card() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    page.submit("city_recommender").await?;
    page.ask_for_an_offer(2, 600).await?;
    page.greet("Tokyo, Seattle, London, Graz, Kyoto").await?;
    page.when("part('hello_cities', 'bar').value >= 1").await?;
    page.browser.refresh().await?;
    page.when("part('city_recommender', 'cities').children.length > 0 && !part('reserve_ticket', 'offer').hidden")
        .await?;
    page.when_state("hello_cities", "Completed").await?;
    assert_eq!(page.value("seen.streams").await?, json!(["/runtime/webhooks/durabletask/instances/stream"]));

    // A second window follows the same instances, and the buttons of both windows work.
    let first = page.browser.window().await?;
    page.browser.new_window().await.map(drop)?;
    let second = page.browser.windows().await?.into_iter().find(|window| *window != first).unwrap();
    page.browser.switch_to_window(second).await?;
    page.browser.goto(&server.address).await?;
    page.when("!part('reserve_ticket', 'offer').hidden").await?;
    page.press("reserve_ticket", "confirm").await?;
    page.when_state("reserve_ticket", "Completed").await?;
    page.browser.switch_to_window(first).await?;
    page.when_state("reserve_ticket", "Completed").await?;
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_focus_stays_in_the_card() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    page.fill("hello_cities", "cities", "Tokyo, Seattle").await?;
    page.browser.active_element().await?.send_keys(Key::Enter + "").await?;
    page.when("document.activeElement === part('hello_cities', 'stop')").await?;
    page.when_state("hello_cities", "Completed").await?;
    page.when("document.activeElement === document.querySelector('#hello_cities form button')").await?;

    page.browser.find(By::Css("#city_recommender form button")).await?.send_keys(Key::Enter + "").await?;
    page.when("part('city_recommender', 'cities').children.length > 0").await?;
    let city = page.browser.find(By::Css("#city_recommender [data-part=cities] button")).await?;
    city.send_keys(Key::Enter + "").await?;
    page.when_state("city_recommender", "Completed").await?;
    page.when("document.activeElement.closest('#city_recommender') !== null").await?;
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn screen_readers_announce_what_happens() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    page.greet("Tokyo, Seattle, London").await?;
    page.submit("city_recommender").await?;
    page.ask_for_an_offer(4, 300).await?;
    page.when("text('city_recommender', 'spoken').startsWith('Which city? ')").await?;
    page.when("text('reserve_ticket', 'spoken') === '15 % off, if you answer within 300 seconds'").await?;
    let nodes = page.browser.cdp().send_raw("Accessibility.getFullAXTree", json!({})).await?;
    let of = |role: &str| -> Vec<String> {
        let nodes = nodes["nodes"].as_array().unwrap().iter().filter(|node| node["role"]["value"] == role);
        nodes.map(|node| node["name"]["value"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let mut buttons: Vec<_> = of("button").into_iter().filter(|name| !name.is_empty()).collect();
    let all = buttons.len();
    buttons.sort();
    buttons.dedup();
    assert_eq!(buttons.len(), all, "two buttons have the same name: {buttons:?}");
    assert!(buttons.iter().any(|name| name == "Stop offering tickets"), "{buttons:?}");
    let bars = of("progressbar");
    assert!(bars.iter().all(|name| !name.is_empty()) && !bars.is_empty(), "{bars:?}");

    page.when_state("hello_cities", "Completed").await?;
    page.when("text('hello_cities', 'spoken') === 'All cities greeted, 3 of 3'").await?;
    let heard: Vec<String> = serde_json::from_value(page.value("seen.spoken").await?)?;
    assert!(heard.iter().any(|text| text == "Greeting Seattle, 1 of 3"), "{heard:?}");
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn forced_colours_show_the_progress() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    let forced = json!({ "features": [{ "name": "forced-colors", "value": "active" }] });
    page.browser.cdp().send_raw("Emulation.setEmulatedMedia", forced).await?;
    page.greet("Tokyo").await?;
    page.when_state("hello_cities", "Completed").await?;
    assert_eq!(page.value("matchMedia('(forced-colors: active)').matches").await?, true);
    page.browser
        .execute(
            "const bar = document.querySelector('#hello_cities progress'); bar.max = 2; bar.value = 1;",
            Vec::new(),
        )
        .await?;
    let shot = page.browser.find(By::Css("#hello_cities progress")).await?.screenshot_as_png().await?;
    let (done, left) = picture::halves(&shot);
    assert_ne!(done, left, "the progress bar is invisible");
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_of_the_browser_keeps_nobody_from_answering() -> WebDriverResult<()> {
    let server = Server::start();
    for minutes in [5, -5] {
        let clock = format!("{{ const now = Date.now.bind(Date); Date.now = () => now() + {minutes} * 60000; }}");
        let page = Page::open_with(&server.address, &clock).await?;
        page.ask_for_an_offer(2, 120).await?;
        page.when("!part('reserve_ticket', 'offer').hidden && /^[12]:/.test(text('reserve_ticket', 'countdown'))")
            .await?;
        // No answer so far says what time it is.
        page.browser.refresh().await?;
        page.when("!part('reserve_ticket', 'offer').hidden && /^[12]:/.test(text('reserve_ticket', 'countdown'))")
            .await?;
        page.press("reserve_ticket", "confirm").await?;
        page.when_state("reserve_ticket", "Completed").await?;
        page.end().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn any_value_in_the_local_storage_is_tolerated() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    for kept in [
        "{",
        "5",
        "null",
        "{\"id\":1}",
        "{\"id\":\"x\",\"statusQueryGetUri\":\"x\",\"sendEventPostUri\":\"\",\"terminatePostUri\":\"\"}",
    ] {
        let script = format!("localStorage.setItem('hello_cities', {})", json!(kept));
        page.browser.execute(script, Vec::<Value>::new()).await?;
        page.browser.refresh().await?;
        page.when("!part('hello_cities', 'fields').disabled").await?;
        assert_eq!(page.value("localStorage.length").await?, 0, "{kept}");
    }
    page.greet("Tokyo").await?;
    page.when_state("hello_cities", "Completed").await?;
    page.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_javascript_the_page_says_so_and_offers_nothing() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    page.browser.cdp().send_raw("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await?;
    page.browser.refresh().await?;
    let nodes = page.browser.cdp().send_raw("Accessibility.getFullAXTree", json!({})).await?;
    let nodes: Vec<_> = nodes["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] == false).collect();
    let texts: Vec<_> = nodes.iter().filter_map(|node| node["name"]["value"].as_str()).collect();
    assert!(texts.iter().any(|text| text.contains("This page needs JavaScript")), "{texts:?}");
    let controls = ["button", "textbox", "spinbutton", "radio"];
    let controls: Vec<_> =
        nodes.iter().filter(|node| controls.iter().any(|role| node["role"]["value"] == *role)).collect();
    let disabled = |node: &Value| {
        let properties = node["properties"].as_array().unwrap();
        properties.iter().any(|property| property["name"] == "disabled" && property["value"]["value"] == true)
    };
    assert!(controls.len() > 5 && controls.iter().all(|node| disabled(node)), "{controls:#?}");
    page.end().await
}
