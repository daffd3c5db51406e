//! Instances (Amazon EC2 User Guide, "Instance lifecycle").

use serde::{Deserialize, Serialize};

use crate::{
    AvailabilityZone, ImageId, InstanceId, MetadataOptions, ReservationId, Tags, Timestamp,
};

/// An instance: a sandbox of processes on this machine, with network interfaces of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The reservation it was launched in.
    pub reservation_id: ReservationId,
    /// Its place in that launch, from 0.
    pub launch_index: u32,
    /// The image it was launched from.
    pub image_id: ImageId,
    /// For example `t3.micro`.
    pub instance_type: String,
    /// Where it is in its life.
    pub state: InstanceState,
    /// Why it left the running state, in AWS's words; empty if it did not.
    pub state_transition_reason: String,
    /// When it was last started.
    pub launch_time: Timestamp,
    /// When it reached `terminated`; rows disappear about an hour later.
    pub terminated_at: Option<Timestamp>,
    /// The zone of its primary subnet.
    pub zone: AvailabilityZone,
    /// Stored and returned only.
    pub key_name: Option<String>,
    /// What it runs at its first start; base64 as sent.
    pub user_data: Option<String>,
    /// Whether it has run since it was launched.
    pub booted: bool,
    /// Whether TerminateInstances is refused.
    pub disable_api_termination: bool,
    /// `stop` or `terminate`.
    pub instance_initiated_shutdown_behavior: String,
    /// How it reaches its own metadata.
    #[serde(default)]
    pub metadata_options: MetadataOptions,
    /// The token of the launch.
    pub client_token: Option<String>,
    /// Tags.
    pub tags: Tags,
}

/// Where an instance is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum InstanceState {
    /// Being started.
    Pending,
    /// Up.
    Running,
    /// Being terminated.
    ShuttingDown,
    /// Gone; the row stays for about an hour.
    Terminated,
    /// Being stopped.
    Stopping,
    /// Down, can be started again.
    Stopped,
}

impl InstanceState {
    /// The code in `instanceState`.
    pub const fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// The name in `instanceState`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}
