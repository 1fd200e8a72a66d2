-- An event of a channel such as agent:* is a copy, of an event of this channel.
ALTER TABLE events ADD COLUMN source TEXT;
