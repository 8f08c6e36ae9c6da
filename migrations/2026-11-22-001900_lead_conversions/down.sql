ALTER TABLE leads DROP CONSTRAINT leads_converted_opportunity_fkey;
DROP TABLE lead_conversions;
