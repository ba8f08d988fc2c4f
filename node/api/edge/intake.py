"""Servicer of EdgeIntake: decode, call one flow, encode."""

from dataclasses import dataclass
from datetime import datetime

from node.api.edge import decoding
from node.api.edge.admission import Admission, Context
from node.edge_settings import FaceSettings
from node.presence.enrolling import TemplateDesk
from node.presence.greeting import Reception
from node.presence.receiving import PresenceDesk
from node.store.device_rows import DeviceRow
from protos.yixin.v1 import edge_pb2, edge_pb2_grpc
from security.moments import to_ms

__all__ = ["EdgeFlows", "EdgeIntakeServicer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeFlows:
    """The flows behind the methods of one node."""

    reception: Reception
    templates: TemplateDesk
    presence: PresenceDesk


class EdgeIntakeServicer(edge_pb2_grpc.EdgeIntakeServicer):
    """Serves the devices of one node."""

    def __init__(self, admission: Admission, flows: EdgeFlows, settings: FaceSettings) -> None:
        """Serve the flows.

        Args:
            admission: Says who calls, and logs who is refused.
            flows: What answers.
            settings: Limits that devices work with.
        """
        self._admission = admission
        self._flows = flows
        self._settings = settings

    async def Hello(  # noqa: N802 - named by the service definition
        self, request: edge_pb2.HelloRequest, context: Context
    ) -> edge_pb2.HelloResponse:
        """Greet a device."""

        def greet(device: DeviceRow, now: datetime) -> edge_pb2.HelloResponse:
            greeting = decoding.greeting_of(request)
            welcome = self._flows.reception.greet(device, greeting, now)
            limits = self._settings
            return edge_pb2.HelloResponse(
                through=welcome.through,
                node_ms=to_ms(now),
                institution=device.institution,
                place=device.place,
                calibration=welcome.calibration,
                transform=welcome.transform.key,
                transform_epoch=welcome.transform.epoch,
                cache_hours=limits.cache_hours,
                cache_templates=limits.cache_templates,
                crop_days=limits.crop_days,
                identify=limits.identify,
                retries=limits.retries,
                timeout_s=limits.timeout_s,
                liveness_required=limits.liveness_required,
                threshold_e4=welcome.threshold_e4,
            )

        return await self._admission.answer(context, "Hello", greet)

    async def Deliver(  # noqa: N802 - named by the service definition
        self, request: edge_pb2.DeliverRequest, context: Context
    ) -> edge_pb2.DeliverResponse:
        """Take events."""

        def deliver(device: DeviceRow, now: datetime) -> edge_pb2.DeliverResponse:
            done = self._flows.presence.deliver(device, decoding.events_of(request), now)
            refused = [
                edge_pb2.RefusedEvent(seq=one.seq, code=one.code, detail=one.detail)
                for one in done.refused
            ]
            return edge_pb2.DeliverResponse(
                through=done.through, refused=refused, node_ms=to_ms(now)
            )

        return await self._admission.answer(context, "Deliver", deliver)

    async def FetchTemplate(  # noqa: N802 - named by the service definition
        self, request: edge_pb2.FetchRequest, context: Context
    ) -> edge_pb2.FetchResponse:
        """Hand out one person's template, or say why there is none."""

        def fetch(device: DeviceRow, now: datetime) -> edge_pb2.FetchResponse:
            person, proxy = decoding.person_of(request)
            purpose = decoding.purpose_of(request.purpose, device)
            found = self._flows.templates.find(person, purpose, device.model, now, proxy=proxy)
            return decoding.fetched(found)

        return await self._admission.answer(context, "FetchTemplate", fetch)

    async def Enrol(  # noqa: N802 - named by the service definition
        self, request: edge_pb2.EnrolRequest, context: Context
    ) -> edge_pb2.EnrolResponse:
        """Enrol a person."""

        def enrol(device: DeviceRow, now: datetime) -> edge_pb2.EnrolResponse:
            asked = decoding.enrolment_of(request, device)
            return edge_pb2.EnrolResponse(id=self._flows.templates.enrol(asked, now).id)

        return await self._admission.answer(context, "Enrol", enrol)

    async def Identify(  # noqa: N802 - named by the service definition
        self, request: edge_pb2.IdentifyRequest, context: Context
    ) -> edge_pb2.IdentifyResponse:
        """Search for whoever a face may be (1:N)."""

        def identify(device: DeviceRow, now: datetime) -> edge_pb2.IdentifyResponse:
            found = self._flows.templates.identify(decoding.probe_of(request, device), now)
            candidates = [
                edge_pb2.Candidate(person=person, score_e4=score)
                for person, score in found.candidates
            ]
            return edge_pb2.IdentifyResponse(candidates=candidates, searched=found.searched)

        return await self._admission.answer(context, "Identify", identify)

    async def Asks(  # noqa: N802 - named by the service definition
        self, request: edge_pb2.AsksRequest, context: Context
    ) -> edge_pb2.AsksResponse:
        """Hand out what a device shall verify."""

        def ask(device: DeviceRow, now: datetime) -> edge_pb2.AsksResponse:
            asks = self._flows.presence.asks(device, decoding.asked_count(request), now)
            return edge_pb2.AsksResponse(asks=[decoding.ask_of(one) for one in asks])

        return await self._admission.answer(context, "Asks", ask)
