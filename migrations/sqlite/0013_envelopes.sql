-- What the sender of a published event said of it beside its data, as a JSON object: id, timestamp, source, correlationId, version.
ALTER TABLE events ADD COLUMN envelope TEXT;
