//! Instance types: a fixed catalogue with AWS's network limits (Amazon EC2 User Guide, "Maximum IP
//! addresses per network interface"). The machine that runs Weir decides about real speed and memory.

use ec2_api::{
    DescribeInstanceTypesRequest, DescribeInstanceTypesResponse, InstanceTypeInfo, MemoryInfo,
    NetworkCardInfo, NetworkInfo, ProcessorInfo, VCpuInfo,
};
use model::Tags;

use crate::filter::{Filters, boolean};
use crate::page::Page;
use crate::{Error, Transaction, network_interface};

/// What there is to know about an instance type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InstanceType {
    pub(crate) name: &'static str,
    pub(crate) architecture: &'static str,
    pub(crate) virtual_cpus: i32,
    pub(crate) memory_mib: i64,
    pub(crate) interfaces: usize,
    /// Of each address family.
    pub(crate) addresses_per_interface: usize,
}

impl InstanceType {
    /// `AttachmentLimitExceeded` if the type cannot have so many interfaces.
    pub(crate) fn check_interfaces(&self, count: usize) -> Result<(), Error> {
        if count <= self.interfaces {
            return Ok(());
        }
        Err(Error::new(
            "AttachmentLimitExceeded",
            format!(
                "Interface count {count} exceeds the limit for {}",
                self.name
            ),
        ))
    }

    /// `PrivateIpAddressLimitExceeded` if an interface of the type cannot have so many addresses of
    /// one family.
    pub(crate) fn check_addresses(&self, count: usize) -> Result<(), Error> {
        if count <= self.addresses_per_interface {
            return Ok(());
        }
        Err(network_interface::address_limit_exceeded())
    }

    pub(super) fn is_burstable(&self) -> bool {
        self.name.starts_with('t')
    }

    fn is_current_generation(&self) -> bool {
        !self.name.starts_with("m1.")
    }
}

/// The type with a name.
pub(crate) fn instance_type(name: &str) -> Result<InstanceType, Error> {
    let found = CATALOGUE.iter().find(|t| t.name == name);
    found.copied().ok_or_else(|| {
        Error::InvalidParameterValue(format!("Invalid value '{name}' for InstanceType."))
    })
}

pub(crate) fn describe_instance_types(
    _: &mut Transaction<'_>,
    request: &DescribeInstanceTypesRequest,
) -> Result<DescribeInstanceTypesResponse, Error> {
    let unknown = |name: &&String| !CATALOGUE.iter().any(|t| t.name == **name);
    let wanted = &request.instance_types;
    let missing: Vec<_> = wanted.iter().filter(unknown).map(String::as_str).collect();
    if !missing.is_empty() {
        return Err(Error::new(
            "InvalidInstanceType",
            format!(
                "The following supplied instance types do not exist: [{}]",
                missing.join(", ")
            ),
        ));
    }
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !wanted.is_empty(),
        5..=100,
    )?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let mut passing: Vec<_> = CATALOGUE
        .iter()
        .filter(|t| wanted.is_empty() || wanted.iter().any(|name| name == t.name))
        .filter(|t| filters.matches(&Tags::new(), |name| filter_values(t, name)))
        .collect();
    passing.sort_by_key(|t| t.name);
    let (rows, next_token) = page.take(passing, |t| t.name.to_owned());
    Ok(DescribeInstanceTypesResponse {
        instance_types: rows.into_iter().map(shape).collect(),
        next_token,
    })
}

fn filter_values(of: &InstanceType, name: &str) -> Vec<String> {
    match name {
        "bare-metal" => boolean(false),
        "burstable-performance-supported" => boolean(of.is_burstable()),
        "current-generation" => boolean(of.is_current_generation()),
        "hypervisor" => vec!["nitro".to_owned()],
        "instance-type" => vec![of.name.to_owned()],
        "memory-info.size-in-mib" => vec![of.memory_mib.to_string()],
        "network-info.ipv4-addresses-per-interface"
        | "network-info.ipv6-addresses-per-interface" => {
            vec![of.addresses_per_interface.to_string()]
        }
        "network-info.maximum-network-interfaces" => vec![of.interfaces.to_string()],
        "processor-info.supported-architecture" => vec![of.architecture.to_owned()],
        "supported-root-device-type" => vec!["ebs".to_owned()],
        "supported-usage-class" => vec!["on-demand".to_owned()],
        "supported-virtualization-type" => vec!["hvm".to_owned()],
        "vcpu-info.default-vcpus" => vec![of.virtual_cpus.to_string()],
        _ => Vec::new(),
    }
}

const FILTERS: &[&str] = &[
    "bare-metal",
    "burstable-performance-supported",
    "current-generation",
    "hypervisor",
    "instance-type",
    "memory-info.size-in-mib",
    "network-info.ipv4-addresses-per-interface",
    "network-info.ipv6-addresses-per-interface",
    "network-info.maximum-network-interfaces",
    "processor-info.supported-architecture",
    "supported-root-device-type",
    "supported-usage-class",
    "supported-virtualization-type",
    "vcpu-info.default-vcpus",
];

fn shape(of: &InstanceType) -> InstanceTypeInfo {
    let interfaces = i32::try_from(of.interfaces).ok();
    let addresses = i32::try_from(of.addresses_per_interface).ok();
    InstanceTypeInfo {
        instance_type: Some(of.name.to_owned()),
        current_generation: Some(of.is_current_generation()),
        free_tier_eligible: Some(matches!(of.name, "t2.micro" | "t3.micro")),
        supported_usage_classes: vec!["on-demand".to_owned()],
        supported_root_device_types: vec!["ebs".to_owned()],
        supported_virtualization_types: vec!["hvm".to_owned()],
        bare_metal: Some(false),
        hypervisor: Some("nitro".to_owned()),
        processor_info: Some(ProcessorInfo {
            supported_architectures: vec![of.architecture.to_owned()],
            ..Default::default()
        }),
        v_cpu_info: Some(VCpuInfo {
            default_v_cpus: Some(of.virtual_cpus),
            default_cores: Some((of.virtual_cpus / 2).max(1)),
            default_threads_per_core: Some(of.virtual_cpus.min(2)),
            ..Default::default()
        }),
        memory_info: Some(MemoryInfo {
            size_in_mi_b: Some(of.memory_mib),
        }),
        instance_storage_supported: Some(false),
        network_info: Some(NetworkInfo {
            maximum_network_interfaces: interfaces,
            maximum_network_cards: Some(1),
            default_network_card_index: Some(0),
            network_cards: vec![NetworkCardInfo {
                network_card_index: Some(0),
                maximum_network_interfaces: interfaces,
                ..Default::default()
            }],
            ipv4_addresses_per_interface: addresses,
            ipv6_addresses_per_interface: addresses,
            ipv6_supported: Some(true),
            ena_support: Some("required".to_owned()),
            efa_supported: Some(false),
            ..Default::default()
        }),
        hibernation_supported: Some(false),
        burstable_performance_supported: Some(of.is_burstable()),
        dedicated_hosts_supported: Some(false),
        auto_recovery_supported: Some(false),
        ..Default::default()
    }
}

const fn x86_64(
    name: &'static str,
    virtual_cpus: i32,
    memory_mib: i64,
    interfaces: usize,
    addresses_per_interface: usize,
) -> InstanceType {
    InstanceType {
        name,
        architecture: "x86_64",
        virtual_cpus,
        memory_mib,
        interfaces,
        addresses_per_interface,
    }
}

const fn arm64(
    name: &'static str,
    virtual_cpus: i32,
    memory_mib: i64,
    interfaces: usize,
    addresses_per_interface: usize,
) -> InstanceType {
    InstanceType {
        architecture: "arm64",
        ..x86_64(
            name,
            virtual_cpus,
            memory_mib,
            interfaces,
            addresses_per_interface,
        )
    }
}

/// Name, virtual CPUs, MiB of memory, interfaces, addresses of each interface.
const CATALOGUE: &[InstanceType] = &[
    x86_64("m1.small", 1, 1_740, 2, 4),
    x86_64("t2.nano", 1, 512, 2, 2),
    x86_64("t2.micro", 1, 1_024, 2, 2),
    x86_64("t2.small", 1, 2_048, 3, 4),
    x86_64("t2.medium", 2, 4_096, 3, 6),
    x86_64("t2.large", 2, 8_192, 3, 12),
    x86_64("t3.nano", 2, 512, 2, 2),
    x86_64("t3.micro", 2, 1_024, 2, 2),
    x86_64("t3.small", 2, 2_048, 3, 4),
    x86_64("t3.medium", 2, 4_096, 3, 6),
    x86_64("t3.large", 2, 8_192, 3, 12),
    x86_64("t3.xlarge", 4, 16_384, 4, 15),
    x86_64("t3.2xlarge", 8, 32_768, 4, 15),
    x86_64("t3a.micro", 2, 1_024, 2, 2),
    x86_64("t3a.small", 2, 2_048, 2, 4),
    x86_64("t3a.medium", 2, 4_096, 3, 6),
    x86_64("t3a.large", 2, 8_192, 3, 12),
    x86_64("m5.large", 2, 8_192, 3, 10),
    x86_64("m5.xlarge", 4, 16_384, 4, 15),
    x86_64("m5.2xlarge", 8, 32_768, 4, 15),
    x86_64("m6i.large", 2, 8_192, 3, 10),
    x86_64("m6i.xlarge", 4, 16_384, 4, 15),
    x86_64("m7i.large", 2, 8_192, 3, 10),
    x86_64("c5.large", 2, 4_096, 3, 10),
    x86_64("c5.xlarge", 4, 8_192, 4, 15),
    x86_64("c5.18xlarge", 72, 147_456, 15, 50),
    x86_64("c6i.large", 2, 4_096, 3, 10),
    x86_64("r5.large", 2, 16_384, 3, 10),
    x86_64("r5.xlarge", 4, 32_768, 4, 15),
    arm64("t4g.nano", 2, 512, 2, 2),
    arm64("t4g.micro", 2, 1_024, 2, 2),
    arm64("t4g.small", 2, 2_048, 3, 4),
    arm64("t4g.medium", 2, 4_096, 3, 6),
    arm64("t4g.large", 2, 8_192, 3, 12),
    arm64("m6g.medium", 1, 4_096, 2, 4),
    arm64("m6g.large", 2, 8_192, 3, 10),
    arm64("m7g.large", 2, 8_192, 3, 10),
    arm64("c6g.large", 2, 4_096, 3, 10),
    arm64("c7g.large", 2, 4_096, 3, 10),
];
