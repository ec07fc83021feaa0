-- A page of the feed is merged from one walk for each audience, so that what a member may not see costs nothing, however
-- much of it there is.
CREATE INDEX idx_activities_org_id_audience_kind_seq ON activities (org_id, audience_kind, seq);
CREATE INDEX idx_activities_org_id_audience_id_seq ON activities (org_id, audience_id, seq)
    WHERE audience_id IS NOT NULL;
CREATE INDEX idx_activities_org_id_type_audience_kind_seq ON activities (org_id, type, audience_kind, seq);
CREATE INDEX idx_activities_org_id_actor_id_audience_kind_seq ON activities (org_id, actor_id, audience_kind, seq);
DROP INDEX idx_activities_org_id_type_seq;
DROP INDEX idx_activities_org_id_actor_id_seq;
