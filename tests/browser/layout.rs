//! The page fits every width from a small phone to a desktop, in light and in dark. Also takes the picture for the
//! README.

use std::fs;

use persevere_tests::root;
use serde_json::json;
use thirtyfour::prelude::*;

use crate::page::Page;
use crate::picture;
use crate::server::Server;

/// If this variable is set, the picture in docs/images is taken again.
const PICTURE: &str = "PERSEVERE_PICTURE";

/// Returns the texts that do not fit into their element.
const CLIPPED: &str = "[...document.querySelectorAll('button, h2, p:not(.spoken), code')]
    .filter((part) => part.clientWidth > 0 && part.scrollWidth > part.clientWidth + 1)
    .map((part) => part.textContent)";

/// Returns the controls that are too small for a finger: less than 44 pixels high or wide.
const SMALL: &str = "[...document.querySelectorAll('button, input:not([type=radio]), .segments label')]
    .map((part) => [part.textContent || part.name, part.getBoundingClientRect()])
    .filter(([, { width, height }]) => width > 0 && (width < 44 || height < 44))
    .map(([name, { width, height }]) => `${name}: ${width} x ${height}`)";

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
        let small = picture::with_a_palette(&shot);
        assert!(small.len() < 150 * 1024, "{} bytes are much for a README", small.len());
        fs::write(folder.join("http_server.png"), small).unwrap();
    }
    for scheme in ["light", "dark"] {
        for width in [320, 360, 768, 1440] {
            show(&page, scheme, width, 1).await?;
            let wide = page.value("document.documentElement.scrollWidth").await?;
            assert!(wide.as_u64().unwrap() <= width, "{wide} wide at {width}, {scheme}");
            assert_eq!(page.value(CLIPPED).await?, json!([]), "cut off at {width}, {scheme}");
            assert_eq!(page.value(SMALL).await?, json!([]), "too small to be touched at {width}, {scheme}");
        }
    }
    page.end().await
}

/// Shows the page as on a display of this width and pixel density, without motion.
async fn show(page: &Page, scheme: &str, width: u64, scale: u8) -> WebDriverResult<()> {
    let cdp = page.browser.cdp();
    let size = json!({ "width": width, "height": 1600, "deviceScaleFactor": scale, "mobile": false });
    cdp.send_raw("Emulation.setDeviceMetricsOverride", size).await?;
    let features = [("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")];
    let media = json!({ "features": features.map(|(name, value)| json!({ "name": name, "value": value })) });
    cdp.send_raw("Emulation.setEmulatedMedia", media).await?;
    Ok(())
}
