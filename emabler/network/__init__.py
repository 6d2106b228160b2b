"""The network file: a CPO's sites, chargers, tariffs, PTPs and terminals as one JSON document, in and out."""
