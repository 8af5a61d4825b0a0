//! Writes a screenshot as a small file: a page has few colours, and a palette makes the file a third of the size.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::Cursor;

use png::{BitDepth, ColorType, Compression, Decoder, Encoder};

pub(crate) type Rgb = [u8; 3];

/// Returns the picture with its 256 most frequent colours. Every other colour becomes the nearest of these.
pub(crate) fn with_a_palette(shot: &[u8]) -> Vec<u8> {
    let mut reader = Decoder::new(Cursor::new(shot)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let pixels: Vec<Rgb> =
        bytes.chunks_exact(info.color_type.samples()).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();

    let mut counts = HashMap::<Rgb, usize>::new();
    for pixel in &pixels {
        *counts.entry(*pixel).or_default() += 1;
    }
    let mut palette: Vec<Rgb> = counts.keys().copied().collect();
    palette.sort_by_key(|colour| (Reverse(counts[colour]), *colour));
    palette.truncate(256);
    let index_of: HashMap<Rgb, u8> = counts.keys().map(|colour| (*colour, nearest(&palette, *colour))).collect();
    let indices: Vec<u8> = pixels.iter().map(|pixel| index_of[pixel]).collect();

    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, info.width, info.height);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_compression(Compression::High);
    encoder.write_header().unwrap().write_image_data(&indices).unwrap();
    file
}

/// Returns the colours in the middle of the left half and of the right half.
pub(crate) fn halves(shot: &[u8]) -> (Rgb, Rgb) {
    let mut reader = Decoder::new(Cursor::new(shot)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let row = &bytes[info.height as usize / 2 * info.line_size..][..info.line_size];
    let pixels: Vec<Rgb> =
        row.chunks_exact(info.color_type.samples()).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    (pixels[pixels.len() / 4], pixels[pixels.len() * 3 / 4])
}

fn nearest(palette: &[Rgb], colour: Rgb) -> u8 {
    let distance =
        |other: &Rgb| -> u32 { other.iter().zip(colour).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum() };
    let index = (0..palette.len()).min_by_key(|index| distance(&palette[*index])).unwrap();
    u8::try_from(index).unwrap()
}
