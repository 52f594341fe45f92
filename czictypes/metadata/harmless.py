"""The one list of names that an anonymised document keeps, with a kind for the value of each.

Whatever is not listed goes. The names are those of ZEISS's public schema of CZI metadata, of the
files that ZEN writes, and of this library. A name may be listed alone, or below its parent
(``Channel/@Name``), which takes precedence. ``@`` marks an attribute. `known_values` decides which
values a kind allows.
"""

from __future__ import annotations

import re

#: The roots of the XML of a document, of a sub-block, and of XML within text.
ROOTS = frozenset({"ImageDocument", "METADATA", "CameraState"})

#: Elements below this depth go; those of ZEN are not half as deep.
DEEPEST = 64

# Where a name holds others in one place and a value in another, both are listed, the value below
# its parent; ``c`` stands for the c0, c1... of ZEN's processing steps.
_KINDS = {
    # Elements that hold others; text of their own goes.
    "structure": """
        ImageDocument METADATA Metadata Information Image Dimensions Channels Channel Tracks Track
        ChannelRefs ChannelRef X Y Z T S H V B I M C R Phases Phase Illuminations Illumination
        Rotations Rotation Blocks Block Views View Positions Interval List BinaryList Scenes Scene
        PyramidInfo Shape Contour Contours Specimen Instrument Microscopes Microscope Objectives
        Objective ObjectiveSettings ObjectiveRef MicroscopeRef MicroscopeSettings EyepieceSettings
        Detectors Detector DetectorSettings DetectorRef DetectorRefs Adapter Manufacturer
        LightSources LightSource LightSourceRef LightSourcesSettings LightSourceSettings
        LightSourceType Laser Arc Filament LightEmittingDiode Pump Filters Filter FilterRef
        FilterSets FilterSet FilterSetRef Dichroics Dichroic DichroicRef EmissionFilters
        ExcitationFilters EmissionFilterRef ExcitationFilterRef TransmittanceRange Transmittance
        Wavelengths TubeLenses TubeLens TubeLensRef Polarization PolarizingSettings
        DetectionWavelength IlluminationWavelength AiryscanSettings LaserScanInfo
        SPIMDetectionSettings SPIMIlluminationSettings IlluminationObjectiveSettings
        SpatialRelations PixelToStageTransform RotateFlipScaleTranslateImplicitScale Flip Translate
        StackRotation Application Document User Processing LSM PSF OriginalScaling
        CustomAttributes KeyValue DisplaySetting ToneMapping Views Scaling AutoScaling Items
        Distance Pixel ImageScaling ScalingComponent Layers Layer Elements Geometry Attributes
        TextElements TextElement MetadataNodes MetadataNode BaseLine FirstLine SecondLine
        ReferenceLines ReferenceLine Points Line Rectangle Ellipse Circle Polygon Polygon3D
        ActivePolygon ActivePolyline Prism ClosedPolyline OpenPolyline Polyline Bezier OpenBezier
        ClosedBezier BezierCylinder Events PointsRelative InOutCircle OutInCircle PointsCircle
        Cylinder OpenArrow ClosedArrow Arrow ArrowBezier ArrowPolyline ScaleBar RectRoi TextBox
        SFRoi Marker AlignedProfile Angle3 Angle4 Caliper Distance MultipleCaliper
        MultipleDistance TwoConnectedCircles TwoCircles FrequentAnnotations TimelineTracks
        TimelineTrack TimelineElements TimelineElement Bounds EventInformation Experiment
        ExperimentBlocks AcquisitionBlock SubDimensionSetups MultiTrackSetup TrackSetup
        DetectionModeSetup Zeiss.Micro.Acquisition.WfTrackDetectionMode
        Zeiss.Micro.MuSPIM.Acquisition.MuSPIMTrackDetectionMode
        Zeiss.Micro.LSM.Acquisition.LsmTrackDetectionMode CameraFrameSetup DataGrabberSetup
        FluorescenceDye AdditionalDyeInformation AcquisitionModeSetup HelperSetups Camera Lasers
        Attenuators Attenuator
        BeamSplitters BeamSplitter TrackLaserSettings LaserLineSettings ParameterCollection
        Intervals TimeSpan First Last ZStackSetup TimeSeriesSetup TilesSetup RegionsSetup
        SampleHolder Template TileRegions TileRegion SingleTileRegions SingleTileRegion
        SingleTileRegionArrays SingleTileRegionArray TileDimension AllowedScanArea SupportPoints
        SupportPoint FocusSetup FocusStrategy HardwareSetting Tags AttachmentSchema DataSchema
        CameraState """,
    # Whole numbers of up to seven digits.
    "count": """
        SizeX SizeY SizeZ SizeC SizeT SizeS SizeM SizeB SizeH SizeI SizeV SizeR @Index Index
        @StartB @StartC @StartH @StartI @StartM @StartR @StartS @StartT @StartV @StartZ
        PyramidLayersCount MinificationFactor RowIndex ColumnIndex ShapeRows ShapeColumns Columns
        Rows SamplesPerPixel FrameAveraging LineAveraging AveragingNumber Averaging SessionCount
        LayerFlags OriginalEncodingQuality NumberOfPhases AxisOrientation RotationIndex ViewIndex
        ImageOrientation ImageCount ValidBitsPerPixel User/@Id""",
    "bits": "ComponentBitCount BitCountRange @HistogramRange CameraBitDepth ValidBits BitsPerPixel",
    "number": """
        StartPosition Increment Start Left Top Width Height CenterX CenterY Radius RadiusX RadiusY
        X1 Y1 X2 Y2 X3 Y3 Z1 Z2 StartX StartY DeltaX DeltaY Length Attributes/Rotation
        Geometry/X Geometry/Y Geometry/Z StrokeThickness FontSize Angle Rotate @X @Y
        CoverglassOffset CoverglassThickness WorkingDistance
        CorrectionControllerBottomThickness CorrectionControllerImagingDepth CorrectionCollar
        ImagingDepth SectionThickness OpticalSectionDepth DepthOfFocus DepthOfField FieldOfView
        Gain DetectorGain Offset Voltage AmplificationGain DigitalGain EMGain GammaDefault Gamma Low
        High
        EnhanceClipLimit EnhanceRegionSizePercentage Position Power Attenuation Transmission
        StokesParameter1 StokesParameter2 StokesParameter3 StokesParameter4
        TransformationXX TransformationXY TransformationYX TransformationYY VirtualPinholeSize
        PinholeSize PinholeSizeAiry PinholeDiameter PinholeAiry SampleRotation SampleOffsetX
        SampleOffsetY ZoomX ZoomY ScanSpeed PixelTime LineTime FrameTime LineStep Zoom
        CutInTolerance CutOutTolerance Value EmbeddingThickness UsedCoverglassThickness
        CameraBias FocusPosition StageXPosition StageYPosition StageZPosition RoiCenterOffsetX
        RoiCenterOffsetY RoiRotation ShapeWidth ShapeHeight ShapeDistanceX ShapeDistanceY
        OriginalShapeWidth OriginalShapeHeight OriginalShapeDistanceX OriginalShapeDistanceY
        Overlap BottomThickness BottomOffset SampleBottomThickness FocusOffset LaserPower
        LampIntensity LEDIntensity AttenuatorPower Adjust SimulatedZoom MaxPowerMilliWatts
        ScannerOffsetX ScannerOffsetY SheetAngle ExposureDelay zscale Hours Minutes Seconds
        TimelineElement/Duration CenterOffsetX CenterOffsetY Sampling AspectRatio
        SPIMIlluminationSettings/LightSheetThickness DetectorSettings/ReadOutRate Spacing""",
    "magnification": """
        NominalMagnification CalibratedMagnification Magnification @Magnification
        TotalMagnification MM.TotalMagnification OptovarMagnification CameraAdapterMagnification
        ReflectorMagnification LateralMagnification HWI_TotalMagnification""",
    "aperture": """
        LensNA EffectiveNA NACondenser NADetection NALightSheet NAObjective NumericalAperture
        CondenserAperture""",
    "index": """
        RefractiveIndex ImmersionRefractiveIndex CoverglassRefractiveIndex DesignImmersionIndex
        EmbeddingIndex UsedCoverglassIndex UsedImmersionIndex BottomRefractiveIndex""",
    "wavelength": """
        EmissionWavelength ExcitationWavelength Wavelength SinglePeak CutIn CutOut DyeMaxEmission
        DyeMaxExcitation CentralWavelength c/DetectionWavelength c/IlluminationWavelength""",
    "intensity": "Intensity",
    "binning": "Binning",
    "duration": "ExposureTime PixelDwellTime ReadoutTime",
    "true or false": """
        IsMinimalCoverage IsSane Tuneable Flip/@X Flip/@Y HasFocusRoi IsAutoApplyEnabled IsSelected
        @IsActivated @IsSelected IsActivated IsProtected IsAnimationEnabled CanMeasureEnable
        IsEditable IsMovable IsRotateWithParent IsWrapping IsMeasurementVisible IsNameVisible
        IsUsedForAcquisition IsCenterMode IsIntervalKept AutoExposure BlackReference
        ApplyCameraProfile ApplyImageOrientation HasRegularShapes LaserBlanking
        IsOnlineStitchingEnabled UseZPiezo""",
    "color": "Color OriginalColor Stroke Fill Foreground",
    # Numbers between commas, semicolons and white space; wavelengths also from-to.
    "numbers": """
        Frame CenterPosition ContourSize Size Offsets Ranges ImagePixelSize
        CameraPixelDistance CameraPixelDistances ImagePixelDistances AxisOfRotation SessionMatrix
        ViewerRotations Geometry/Points Points/Points Points3D RelativePosition RenderedSize
        TextElement/Position TileRegion/Position BoundsSize ReferencePoint AnchorPoint Center
        AcquisitionFrame Resolution PivotPoint StrokeDashArray SplineData Attributes/Points""",
    # Texts, which stay if each word is one of microscopy, and go otherwise.
    "words": """
        AcquisitionMode IlluminationType ContrastMethod ContrastMethods ContrastTypes PixelType
        Immersion Medium PupilGeometry Model @Name DyeName Fluor @Type Type Mode Reflector
        LaserAttenuatorState BeamType CorrectionControllerMode Correction LaserMedium
        OriginalCompressionMethod CurrentCompressionParameters MinificationMethod ContourType
        ScanMode ZAxisDirection XYZHandedness ZAxisShear CoverglassMaterial BottomMaterial
        SampleOpticalMaterial CameraAdapter CameraName ObjectiveName Objective Optovar
        AutoScaling/Reflector MainBeamSplitterVis SecondaryBeamSplitterVis Illumination
        LightsheetType PSF/Instrument c/Instrument Dimension ZStackDirection AutoApplyMode ColorMode
        CameraDisplayName Usage AnimationDimension Orientation CoordinateUnitX CoordinateUnitY
        SessionCreation Application/Name DataFormat Category ScanDirection ScanAreaMode
        MuSpimLightSheetMode Grid DirectDevice ZStackMode IntervalUnit CondenserContrast
        TubeLensPosition FWFOVPosition PositionName ParameterCollection/@Id
        CameraPixelType ImagePixelType HdrMethod ReadoutMode SamplingMode AveragingMethod
        AveragingMode FilterName @Status @Unit BottomColor StageDirection""",
    "unit": "DefaultUnitFormat DefaultScalingUnit UnitFormat",
    "version": "Application/Version BuildId DocumentVersion @Version",
    "dye": "DyeId DyeDatabaseId dye_id collection_id",
    "wildcards": "TextElement/Text",
    # Names, which stay if they are of microscopy or of wells, and become neutral otherwise.
    "name Channel": """
        Channel/@Name Channel/ShortName Channel/Name Channel/DyeName FluorescenceDye/Name
        FluorescenceDye/ShortName FluorescenceDye/@Name ContrastMethod/Name
        ContrastMethod/ShortName Track/@Name TrackSetup/@Name TrackName""",
    "name Scene": "Scene/@Name",
    "name Well": "Shape/@Name ArrayName Scene/ArrayName",
    "name Region": """
        TileRegion/@Name SingleTileRegion/@Name SingleTileRegionArray/@Name RegionName""",
    "name Layer": "Layer/@Name",
    "name Plate": "Template/@Name",
    "name Detector": "Detector/@Name Camera/@Name",
    "name Light source": "LightSource/@Name Laser/LaserName Laser/@Name LaserName",
    "name Microscope": "Microscope/@Name",
    "name Objective": "Objective/@Name",
    # Identifiers: numbers and known words stay; others get new ones, equal ones alike.
    "identifier": """
        @Id RegionId TemplateShapeId RetilingId UniqueName ReferenceChannelId Shape/@Id""",
    # Points in time, which become differences or go.
    "date": """
        AcquisitionDateAndTime StartTime AcquisitionTime TimelineElement/Time Channel/DateTime""",
    "reference": "AttachmentName",
    "acquisitions": "PlateAcquisitions",
    "xml": "DetectorState",
}


_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names.split()}
_CHANNEL_PART = re.compile(r"c\d{1,3}", re.ASCII)


def kind_of(parent: str, name: str) -> str | None:
    """Return the kind of value of an element or attribute (``@Name``); None for unknown ones."""
    if _CHANNEL_PART.fullmatch(parent):
        parent = "c"
    elif parent == "Channels" and _CHANNEL_PART.fullmatch(name):
        return "structure"
    return _KIND_OF.get(f"{parent}/{name}") or _KIND_OF.get(name)
