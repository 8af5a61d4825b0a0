//! The page fits, from a small phone to a desktop, in light and in dark; and its picture for the README.

use std::fs;

use persevere_tests::example_program::root;
use serde_json::json;
use thirtyfour::prelude::*;

use crate::page::Page;
use crate::picture;
use crate::server::Server;

/// Set, the picture in docs/images is taken anew.
const PICTURE: &str = "PERSEVERE_PICTURE";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_fits() -> WebDriverResult<()> {
    let server = Server::start();
    let page = Page::open(&server.address).await?;
    page.submit("city_recommender").await?;
    page.ask_for_an_offer(4, 60).await?;
    page.greet("Tokyo, Seattle, London, Graz, Kyoto").await?;
    page.when("part('city_recommender', 'cities').children.length === 3").await?;
    page.when("!part('reserve_ticket', 'offer').hidden").await?;
    page.when("part('hello_cities', 'bar').value >= 3").await?;

    if std::env::var_os(PICTURE).is_some() {
        show(&page, "light", 960, 2).await?;
        let shot = page.browser.find(By::Tag("body")).await?.screenshot_as_png().await?;
        let folder = root().join("docs/images");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("http_server.png"), picture::with_a_palette(&shot)).unwrap();
    }
    for scheme in ["light", "dark"] {
        for width in [360, 768, 1440] {
            show(&page, scheme, width, 1).await?;
            let wide = page.value("document.documentElement.scrollWidth").await?;
            assert!(wide.as_u64().unwrap() <= width, "{wide} wide at {width}, {scheme}");
            let clipped = "[...document.querySelectorAll('button, h2, p, code')].filter((part) => part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0).map((part) => part.textContent)";
            assert_eq!(page.value(clipped).await?, json!([]), "cut off at {width}, {scheme}");
        }
    }
    page.end().await
}

/// Shows it as a display of this width and scale, in dots for one pixel, would.
async fn show(page: &Page, scheme: &str, width: u64, scale: u8) -> WebDriverResult<()> {
    let cdp = page.browser.cdp();
    let size = json!({ "width": width, "height": 1600, "deviceScaleFactor": scale, "mobile": false });
    cdp.send_raw("Emulation.setDeviceMetricsOverride", size).await?;
    let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
    cdp.send_raw("Emulation.setEmulatedMedia", media).await?;
    Ok(())
}
