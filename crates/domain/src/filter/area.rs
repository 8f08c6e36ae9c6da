//! Areas on the map.

use super::nodes::{GeoBox, GeoPoint};

/// Mean radius of the earth in metres.
const EARTH: f64 = 6_371_008.8;

/// Where a record has to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Area {
    Circle(Circle),
    Box(GeoBox),
    Countries(Vec<String>),
}

/// All places that are no farther from a place than a radius.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    pub center: GeoPoint,
    pub radius: f64,
}

impl Circle {
    /// The haversine of the angle that the radius spans: a place is within the circle when its own is no greater.
    pub fn haversine(&self) -> f64 {
        let half = (self.radius / EARTH / 2.0).min(std::f64::consts::FRAC_PI_2);
        half.sin() * half.sin()
    }

    /// Boxes that hold the circle, a little wider than it is, for an index to begin with: two where it goes over the 180th
    /// meridian.
    pub fn boxes(&self) -> Vec<GeoBox> {
        let angle = (self.radius / EARTH) * (1.0 + 1e-9) + 1e-9;
        let (south, north) = (self.center.lat - angle.to_degrees(), self.center.lat + angle.to_degrees());
        let whole = |south: f64, north: f64| vec![GeoBox { south, west: -180.0, north, east: 180.0 }];
        if south <= -90.0 || north >= 90.0 {
            return whole(south.max(-90.0), north.min(90.0));
        }
        let width = (angle.sin() / self.center.lat.to_radians().cos()).asin().to_degrees();
        if !width.is_finite() {
            return whole(south, north);
        }
        let (west, east) = (self.center.lon - width, self.center.lon + width);
        if west < -180.0 {
            vec![GeoBox { south, west: west + 360.0, north, east: 180.0 }, GeoBox { south, west: -180.0, north, east }]
        } else if east > 180.0 {
            vec![GeoBox { south, west, north, east: 180.0 }, GeoBox { south, west: -180.0, north, east: east - 360.0 }]
        } else {
            vec![GeoBox { south, west, north, east }]
        }
    }

    /// Whether a place is within it.
    pub(super) fn holds(&self, lat: f64, lon: f64) -> bool {
        let (from, to) = (self.center.lat.to_radians(), lat.to_radians());
        let up = ((to - from) / 2.0).sin();
        let along = ((lon.to_radians() - self.center.lon.to_radians()) / 2.0).sin();
        up * up + from.cos() * to.cos() * (along * along) <= self.haversine()
    }
}

impl GeoBox {
    /// Whether a place is within it.
    pub(super) fn holds(&self, lat: f64, lon: f64) -> bool {
        let between = if self.west <= self.east {
            self.west <= lon && lon <= self.east
        } else {
            lon >= self.west || lon <= self.east
        };
        self.south <= lat && lat <= self.north && between
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn circle(lat: f64, lon: f64, radius: f64) -> Circle {
        Circle { center: GeoPoint { lat, lon }, radius }
    }

    #[test]
    fn distances_are_those_of_the_map() {
        // Berlin and Hamburg are 255 km apart.
        assert!(circle(52.52, 13.405, 256_000.0).holds(53.5511, 9.9937));
        assert!(!circle(52.52, 13.405, 254_000.0).holds(53.5511, 9.9937));
        assert!(circle(0.0, 179.9, 30_000.0).holds(0.0, -179.9));
        assert!(circle(90.0, 0.0, 1_000_000.0).holds(85.0, 123.0));
        assert!(circle(10.0, 20.0, 20_100_000.0).holds(-10.0, -160.0));
    }

    proptest! {
        #[test]
        fn the_boxes_hold_the_circle(
            lat in -90.0..90.0_f64, lon in -180.0..180.0_f64, radius in 0.0..20_100_000.0_f64,
            other_lat in -90.0..90.0_f64, other_lon in -180.0..180.0_f64
        ) {
            let circle = circle(lat, lon, radius);
            let in_a_box = circle.boxes().iter().any(|area| area.holds(other_lat, other_lon));
            prop_assert!(in_a_box || !circle.holds(other_lat, other_lon));
        }
    }
}
