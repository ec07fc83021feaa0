-- Takes back what up.sql does.
CREATE INDEX idx_activities_org_id_type_seq ON activities (org_id, type, seq);
CREATE INDEX idx_activities_org_id_actor_id_seq ON activities (org_id, actor_id, seq);
DROP INDEX idx_activities_org_id_actor_id_audience_kind_seq;
DROP INDEX idx_activities_org_id_type_audience_kind_seq;
DROP INDEX idx_activities_org_id_audience_id_seq;
DROP INDEX idx_activities_org_id_audience_kind_seq;
