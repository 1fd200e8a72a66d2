-- For lists of projects, of all of them or of those of a member.
CREATE INDEX entities_projects ON entities (project_id) WHERE kind = 'project' AND deleted_at IS NULL;
CREATE INDEX entities_members ON entities (id) WHERE kind = 'member';
