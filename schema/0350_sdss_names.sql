-- Functions with SDSS's names get SDSS's arguments and columns, and help an example for each overload: what they
-- return is another row than before, which CREATE OR REPLACE cannot change.
DROP FUNCTION IF EXISTS fGetNearbyObjEq(double precision, double precision, double precision);
DROP FUNCTION IF EXISTS fGetNearestObjEq(double precision, double precision, double precision);
DROP FUNCTION IF EXISTS fGetObjFromRect(double precision, double precision, double precision, double precision);
DROP FUNCTION IF EXISTS fGetObjFromRectEq(double precision, double precision, double precision, double precision);
DROP FUNCTION IF EXISTS fGetNearbyObjXYZ(double precision, double precision, double precision, double precision);
DROP FUNCTION IF EXISTS fGetNearestObjXYZ(double precision, double precision, double precision, double precision);
DROP FUNCTION IF EXISTS fGetNearbyFrameEq(double precision, double precision, double precision);
DROP FUNCTION IF EXISTS fGetNearestFrameEq(double precision, double precision, double precision);
DROP FUNCTION IF EXISTS sky_examples();
