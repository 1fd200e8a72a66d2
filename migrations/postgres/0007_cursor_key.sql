-- Seals cursors, so that the server knows those that it has handed out. 64 hexadecimal digits; the server makes it.
ALTER TABLE meta ADD COLUMN cursor_key text COLLATE "C";
