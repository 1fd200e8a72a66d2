-- The place of a card among the live tasks of its project, and among those with the same status and sprint, is found
-- without reading the others.
DROP INDEX entities_order;
CREATE INDEX entities_order ON entities (project_id, rank, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND rank IS NOT NULL;
CREATE INDEX entities_column ON entities (project_id, status, sprint_id, rank, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND rank IS NOT NULL;

-- The tasks of an epic or a sprint are read a few at a time, by id.
DROP INDEX entities_tasks_of_epic;
CREATE INDEX entities_tasks_of_epic ON entities (project_id, epic_id, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND epic_id IS NOT NULL;
DROP INDEX entities_tasks_of_sprint;
CREATE INDEX entities_tasks_of_sprint ON entities (project_id, sprint_id, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND sprint_id IS NOT NULL;
-- The statuses are those of a finished task (FINISHED in src/domain/cascade.rs).
CREATE INDEX entities_unfinished_of_sprint ON entities (project_id, sprint_id, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND sprint_id IS NOT NULL
        AND (status IS NULL OR lower(status) NOT IN ('done', 'completed', 'complete', 'closed', 'finished', 'resolved',
            'cancelled', 'canceled', 'archived'));

-- An owner of a project is found without reading its other members.
CREATE INDEX entities_owners ON entities (project_id, id)
    WHERE kind = 'member' AND deleted_at IS NULL AND fields ->> 'role' = 'owner';

-- What an accepted command still has to do to the tasks that refer to its epic or sprint. The row is written with the
-- command and removed with the last of its events.
CREATE TABLE cascades (
    project_id TEXT NOT NULL,
    project_id_numeric INTEGER NOT NULL,
    reference TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    cause TEXT NOT NULL,
    target_id TEXT,
    target_id_numeric INTEGER NOT NULL,
    actor TEXT NOT NULL,
    remaining INTEGER NOT NULL,
    stepped_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, reference, entity_id)
);

CREATE INDEX cascades_target ON cascades (project_id, target_id) WHERE target_id IS NOT NULL;
CREATE INDEX cascades_stepped_at ON cascades (stepped_at);
