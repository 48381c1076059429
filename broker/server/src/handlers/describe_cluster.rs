//! DescribeCluster: the brokers and the controller (KIP-700, KIP-919).

use std::rc::Rc;

use protocol::ErrorCode;
use protocol::generated::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};

use super::metadata::CLUSTER_OPERATIONS;
use crate::shard::Core;

/// What a listener for clients can be asked about.
const BROKERS: i8 = 1;
/// What only a controller's own listener can, of which there is none.
const CONTROLLERS: i8 = 2;
/// The version in which there was one kind of endpoint, so that another is an error of the client.
const ONE_KIND: i16 = 0;

/// Answers from the cluster's view.
pub(crate) fn handle(
    core: &Rc<Core>,
    version: i16,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    if request.endpoint_type != BROKERS {
        return refuse(version, request.endpoint_type);
    }
    let view = core.view();
    let broker = |broker: &metadata::Broker| DescribeClusterBroker {
        broker_id: broker.id.0,
        host: broker.host.clone(),
        port: i32::from(broker.port),
        ..DescribeClusterBroker::default()
    };
    let mut response = DescribeClusterResponse {
        cluster_id: view.cluster_id.clone(),
        controller_id: core.config.broker.0,
        brokers: view.image.brokers().map(broker).collect(),
        ..DescribeClusterResponse::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}

fn refuse(version: i16, endpoint_type: i8) -> DescribeClusterResponse {
    let (code, why) = match endpoint_type {
        CONTROLLERS => (
            ErrorCode::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of \
             type CONTROLLER"
                .into(),
        ),
        other => (ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}")),
    };
    let code = if version == ONE_KIND { ErrorCode::InvalidRequest } else { code };
    DescribeClusterResponse {
        error_code: code.number(),
        error_message: Some(why),
        ..DescribeClusterResponse::default()
    }
}
